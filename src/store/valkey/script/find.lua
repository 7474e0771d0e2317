-- Finding rows in the order of acceptance by the most selective indexes of a query, and canceling
-- them; reading by spans of time.

-- Where to look: sets of ids by seq, or a list of ids.
function S.indexes_of(query, is_open)
  if query.uniqueKey then return {S.UNIQUE .. query.uniqueKey} end
  local prefix = query.idPrefix
  if prefix and #prefix >= 8 then
    local from, to = '[' .. prefix, '(' .. prefix .. '\255'
    if rcall('ZLEXCOUNT', S.IDS, from, to) <= PREFIX_IDS_MAX then
      return nil, rcall('ZRANGEBYLEX', S.IDS, from, to)
    end
  end
  if query.retryOf then return {S.RETRIES .. query.retryOf} end
  if query.parentId then return {S.CHILDREN .. query.parentId} end
  if query.flowId then return {S.FLOWS .. query.flowId} end
  if query.scheduleId then
    return {is_open and S.OPEN_OF_SCHEDULE .. query.scheduleId or S.OF_SCHEDULE .. query.scheduleId}
  end
  local wanted = query.states and S.set_of(query.states)
  if wanted and wanted[PROCESSING] and not wanted[SCHEDULED] and #query.states == 1 then
    return nil, rcall('ZRANGE', S.LEASES, 0, -1)
  end
  local indexes = {}
  for _, kind in ipairs(query.kinds or rcall('SMEMBERS', S.KINDS)) do
    if not wanted or wanted[SCHEDULED] or wanted[PROCESSING] then
      indexes[#indexes + 1] = S.OPEN .. kind
    end
    for state = COMPLETED, TIMED_OUT do
      if not is_open and (not wanted or wanted[state]) then
        indexes[#indexes + 1] = S.DONE .. state .. ':' .. kind
      end
    end
  end
  return indexes
end

function S.matches(id, r, query)
  local members = r[RARE] or {}
  if query.idPrefix and S.sub(id, 1, #query.idPrefix) ~= query.idPrefix then return false end
  if query.scheduleId and members.scheduleId ~= query.scheduleId then return false end
  if query.uniqueKey and members.uniqueKey ~= query.uniqueKey then return false end
  if query.retryOf and members.retryOf ~= query.retryOf then return false end
  if query.parentId and members.parentId ~= query.parentId then return false end
  if query.flowId and members.flowId ~= query.flowId then return false end
  if query.after and r[CREATED] < query.after then return false end
  if query.before and r[CREATED] >= query.before then return false end
  if query.node and r[NODE] ~= query.node then return false end
  if query.endedAfter and not (r[SETTLED] and r[SETTLED] >= query.endedAfter) then return false end
  if query.endedBefore and not (r[SETTLED] and r[SETTLED] < query.endedBefore) then return false end
  if query.isDead
    and (members.redrivenAs or not (r[STATE] == TERMINATED or r[STATE] == TIMED_OUT)) then
    return false
  end
  if query.kindSet and not query.kindSet[r[KIND]] then return false end
  return not query.stateSet or query.stateSet[r[STATE]] or false
end

function S.prepare(query)
  query.kindSet = query.kinds and S.set_of(query.kinds)
  query.stateSet = query.states and S.set_of(query.states)
  local time_of = function(time) return S.min(time * 1024, TIME_MAX) end
  -- A seq is its time times 1,024, unless instances were accepted faster than that.
  if query.after then query.from = S.max(query.from, time_of(query.after) - S.head.lag) end
  if query.before then query.to = S.min(query.to, time_of(query.before) + S.head.lead) end
end

-- Several sets of ids merged in the order of their seqs. Each set is read only as far as needed, so
-- that another set costs one read and not one for each page. The sources form a heap, ordered by
-- their next seq (negative when going backwards).
function S.sift_down(sources, place)
  local sifted, count = sources[place], #sources
  while 2 * place <= count do
    local child = 2 * place
    if child < count and sources[child + 1].order < sources[child].order then child = child + 1 end
    if sources[child].order >= sifted.order then break end
    sources[place], place = sources[child], child
  end
  sources[place] = sifted
end

function S.read_source(merge, source)
  if source.is_whole then return false end
  local size, sign = source.size, merge.sign
  local list
  if sign < 0 then
    local to = source.last and source.last - 1 or merge.to
    list = rcall('ZREVRANGEBYSCORE', source.key, to, merge.from, 'WITHSCORES', 'LIMIT', 0, size)
  else
    local from = source.last and source.last + 1 or merge.from
    list = rcall('ZRANGEBYSCORE', source.key, from, merge.to, 'WITHSCORES', 'LIMIT', 0, size)
  end
  source.list, source.next, source.size = list, 1, S.min(size * 2, 1000)
  source.is_whole = #list < 2 * size
  if #list == 0 then return false end
  source.last = tonumber(list[#list])
  source.order = sign * tonumber(list[2])
  return true
end

function S.merged(indexes, ids, from, to, is_reverse, size)
  local merge = {from = from, to = to, sign = is_reverse and -1 or 1, sources = {}}
  if ids then
    local found, list = {}, {}
    S.load_rows(ids)
    for _, id in ipairs(ids) do
      local r = S.row(id)
      if r and r[SEQ] >= from and r[SEQ] <= to then
        found[#found + 1] = {merge.sign * r[SEQ], id}
      end
    end
    table.sort(found, function(left, right) return left[1] < right[1] end)
    for i = 1, #found do list[2 * i - 1], list[2 * i] = found[i][2], merge.sign * found[i][1] end
    if found[1] then
      merge.sources[1] = {list = list, next = 1, is_whole = true, order = found[1][1]}
    end
    return merge
  end
  size = S.max(1, S.min(size, S.floor(2000 / S.max(#indexes, 1))))
  for _, key in ipairs(indexes) do
    local source = {key = key, size = size}
    if S.read_source(merge, source) then merge.sources[#merge.sources + 1] = source end
  end
  for place = S.floor(#merge.sources / 2), 1, -1 do S.sift_down(merge.sources, place) end
  return merge
end

-- Returns the next ids, at most n, and the seq of the last one. Fewer than n means that there are
-- no more.
function S.next_ids(merge, n)
  local sources, found, last = merge.sources, {}, nil
  while #found < n and sources[1] do
    local source = sources[1]
    found[#found + 1], last = source.list[source.next], merge.sign * source.order
    source.next = source.next + 2
    if source.next < #source.list then
      source.order = merge.sign * tonumber(source.list[source.next + 1])
    elseif not S.read_source(merge, source) then
      sources[1] = sources[#sources]
      sources[#sources] = nil
    end
    if sources[1] then S.sift_down(sources, 1) end
  end
  return found, last
end

-- Up to `limit` matching rows from a seq on, among as many rows read. Also returns where to
-- continue, false at the end.
function S.scan(op)
  local query, is_reverse, limit, look_max = op[4], op[5], op[6], op[7]
  S.prepare(query)
  local is_open = false
  if query.states then
    is_open = true
    for _, state in ipairs(query.states) do
      if state > PROCESSING then is_open = false end
    end
  end
  local indexes, ids = S.indexes_of(query, is_open)
  local from, to, answer, looked, size = query.from, query.to, {}, 0, S.max(16, S.min(limit, 1000))
  local merge = S.merged(indexes, ids, from, to, is_reverse, size)
  while true do
    local list, last = S.next_ids(merge, size)
    S.load_rows(list)
    for i = 1, #list do
      local r = S.row(list[i])
      if r and S.matches(list[i], r, query) then
        if #answer == limit then
          return {answer, r[SEQ]}
        end
        answer[#answer + 1] = list[i]
      end
    end
    if #list < size then return {answer, false} end
    looked, size = looked + #list, S.min(size * 2, 1000)
    if looked >= look_max then return {answer, is_reverse and last - 1 or last + 1} end
  end
end

-- Matching rows: each with its id and, if requested, the part that never changes and its ended
-- attempts. Large results come in parts.
function S.scan_rows(op)
  local found = S.scan(op)
  local ids, answer, has_fixed, has_history = found[1], {}, op[8], op[9]
  local fixed, bytes = nil, 0
  for i, id in ipairs(ids) do
    local r, text = S.row(id), S.row_text(id)
    if bytes > PART_BYTES then return {answer, r[SEQ]} end
    answer[#answer + 1], answer[#answer + 2] = id, text
    bytes = bytes + #text
    if has_fixed then
      local place = (i - 1) % FIXED_CHUNK
      if place == 0 then
        fixed = rcall('HMGET', S.FIXED, unpack(ids, i, S.min(i + FIXED_CHUNK - 1, #ids)))
      end
      answer[#answer + 1] = fixed[place + 1]
      bytes = bytes + #(fixed[place + 1] or '')
    end
    if has_history then
      answer[#answer + 1] =
        r[ATTEMPT] > 0 and rcall('LRANGE', S.ENDED_ATTEMPTS .. id, 0, -1) or false
    end
  end
  return {answer, found[2]}
end

function S.get(op)
  local ids, answer = op[4], {}
  S.load_rows(ids)
  for i = 1, #ids do
    local id = ids[i]
    if S.row(id) then S.answer_row(answer, id) end
  end
  return answer
end

-- True if a cancel changes a row; a forced one also ends what waits to take back its steps.
function S.may_cancel(r, is_forced)
  return not (r[RARE] and r[RARE].cancelAt) or (is_forced and r[STATE] ~= PROCESSING)
end

function S.history_of(op)
  local id = op[4]
  if not S.row(id) then return {} end
  return {id, S.row_text(id), rcall('LRANGE', S.ENDED_ATTEMPTS .. id, 0, -1)}
end

function S.cancel(op)
  local query, ids, limit, is_forced = op[4], op[5], op[6], op[7]
  local wanted = {}
  S.flush()
  query.from, query.to = 0, MAX
  if ids then
    S.load_rows(ids)
    S.prepare(query)
    local seen = {}
    for _, id in ipairs(ids) do
      local r = S.row(id)
      if #wanted < limit and r and not seen[id] and S.matches(id, r, query)
        and S.may_cancel(r, is_forced) then
        wanted[#wanted + 1] = id
      end
      seen[id] = true
    end
  else
    local from, looked = 0, 0
    while from and #wanted < limit and looked < CANCEL_LOOK_MAX do
      query.from, query.to = from, MAX
      local found = S.scan({false, false, false, query, false, 1000, 20000})
      for _, id in ipairs(found[1]) do
        local r = S.row(id)
        if #wanted < limit and S.may_cancel(r, is_forced) then wanted[#wanted + 1] = id end
      end
      looked, from = looked + #found[1] + 1, found[2]
    end
  end
  for _, id in ipairs(wanted) do S.cancel_row(id, S.row(id), 'canceled') end
  return S.answer_rows(wanted)
end

-- The bounds of spans as arguments of ZCOUNT, which includes both ends: each first place, and the
-- last place before the next.
function S.span_ends(bounds, by)
  local firsts, lasts = {}, {}
  for i = 1, #bounds - 1 do
    local from, to = bounds[i], bounds[i + 1]
    -- A seq is its time times 1,024.
    if by == 'acceptance' then
      from, to = S.min(from * 1024, TIME_MAX), S.min(to * 1024, TIME_MAX)
    end
    firsts[i], lasts[i] = S.number_text(from), '(' .. S.number_text(to)
  end
  return firsts, lasts
end

-- Counts the members of a set in each span. Nil if there are none.
function S.count_set(key, firsts, lasts)
  local spans = #firsts
  local total = rcall('ZCOUNT', key, firsts[1], lasts[spans])
  if total == 0 then return nil end
  local counts = {}
  for i = 1, spans do
    -- After the last one there is nothing left to look for.
    counts[i] = total > 0 and rcall('ZCOUNT', key, firsts[i], lasts[i]) or 0
    total = total - counts[i]
  end
  return counts
end

-- Counts the members of a set in each span by the times of their rows: after a move from another
-- store, seqs say nothing of time. Their order is the same. Nil if there are none.
function S.count_set_by_rows(key, bounds)
  local size, ranks, total = rcall('ZCARD', key), {}, 0
  for i = 1, #bounds do
    local low, high = ranks[i - 1] or 0, size
    while low < high do
      local middle = S.floor((low + high) / 2)
      S.probes = S.probes + 1
      if S.row(rcall('ZRANGE', key, middle, middle)[1])[CREATED] >= bounds[i] then
        high = middle
      else
        low = middle + 1
      end
    end
    ranks[i] = low
  end
  local counts = {}
  for i = 1, #bounds - 1 do
    counts[i] = ranks[i + 1] - ranks[i]
    total = total + counts[i]
  end
  return total > 0 and counts or nil
end

-- Counts of kinds and states: each with the number of its place in the request. A state is that of
-- a final instance; 0 stands for all unfinished ones. Also returns how many of them were counted:
-- fewer than all if that takes long.
function S.count_spans(op)
  local by, bounds, wanted, answer = op[4], op[5], op[6], {}
  local firsts, lasts = S.span_ends(bounds, by)
  local is_by_rows = by == 'acceptance' and S.head.lag > LAG_MAX
  S.probes = 0
  for i = 1, #wanted do
    local kind, state = wanted[i][1], wanted[i][2]
    local key = S.OPEN .. kind
    if by == 'due' then
      key = S.LATER .. kind
    elseif state > 0 then
      key = S.DONE .. state .. ':' .. kind
    end
    local counts
    if is_by_rows then
      counts = S.count_set_by_rows(key, bounds)
    else
      counts = S.count_set(key, firsts, lasts)
    end
    if counts then answer[#answer + 1] = {i, counts} end
    if S.probes > PROBES_MAX then return {i, answer} end
  end
  return {#wanted, answer}
end

-- The ids of the first waiting rows of kinds that are due in a span, at most n of each kind, and
-- the due time up to which none is left out.
function S.first_later(kinds, after, before, n)
  local found, complete = {}, S.INFINITY
  for _, kind in ipairs(kinds) do
    local list = rcall('ZRANGEBYSCORE', S.LATER .. kind, after, before, 'WITHSCORES', 'LIMIT', 0, n)
    for i = 1, #list, 2 do
      local _, seq, id = S.parse_member(list[i])
      found[#found + 1] = {tonumber(list[i + 1]), seq, id}
    end
    if #list == 2 * n then complete = S.min(complete, tonumber(list[#list])) end
  end
  table.sort(found, function(left, right)
    if left[1] ~= right[1] then return left[1] < right[1] end
    return left[2] < right[2]
  end)
  return found, complete
end

-- Waiting rows that are not due yet, by due time.
function S.list_later(op)
  local kinds, limit = op[6], op[7]
  local after, before = S.number_text(op[4]), '(' .. S.number_text(op[5])
  if not kinds then kinds = rcall('ZRANGEBYSCORE', S.LATER_KINDS, '-inf', before) end
  local n = S.min(limit, S.max(8, S.floor(2 * limit / S.max(#kinds, 1))))
  local found, complete = S.first_later(kinds, after, before, n)
  -- Until enough of them come before the first one that was left out, or none was.
  while n < limit and complete < S.INFINITY
    and (#found < limit or found[limit][1] > complete) do
    n = S.min(limit, n * 4)
    found, complete = S.first_later(kinds, after, before, n)
  end
  local answer = {}
  local ids = {}
  for i = 1, S.min(limit, #found) do ids[i] = found[i][3] end
  S.load_rows(ids)
  for i = 1, #ids do
    if S.row(ids[i]) then S.answer_row(answer, ids[i]) end
  end
  return answer
end

-- Ticks without a run, latest first: schedule and fate alternate.
function S.list_gaps(op)
  local after, before, skip, limit = S.number_text(op[4]), '(' .. S.number_text(op[5]), op[6], op[7]
  local answer = {}
  for _, name in ipairs(rcall('ZREVRANGEBYSCORE', S.GAPS, before, after, 'LIMIT', skip, limit)) do
    local schedule, from = string.match(name, '^(.*)%z(.-)$')
    local fate = rcall('ZRANGEBYSCORE', S.TICKS .. schedule, from, from)[1]
    if fate then answer[#answer + 1], answer[#answer + 2] = schedule, fate end
  end
  return answer
end

-- Ids that contain a text, of as many as one call compares, the greatest first. Also returns where to
-- continue, false at the end.
function S.find_ids(op)
  local part, from, found = op[4], op[5], {}
  local ids = rcall('ZREVRANGEBYLEX', S.IDS, from, '-', 'LIMIT', 0, FIND_IDS_MAX)
  for i = 1, #ids do
    if string.find(ids[i], part, 1, true) then found[#found + 1] = ids[i] end
  end
  return {found, #ids == FIND_IDS_MAX and '(' .. ids[#ids] or false}
end

S.ACTIONS.scan, S.ACTIONS.get, S.ACTIONS.historyOf, S.ACTIONS.cancel, S.ACTIONS.findIds =
  S.scan_rows, S.get, S.history_of, S.cancel, S.find_ids
S.ACTIONS.countSpans, S.ACTIONS.listLater, S.ACTIONS.listGaps =
  S.count_spans, S.list_later, S.list_gaps
