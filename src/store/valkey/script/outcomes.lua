-- Recording outcomes and log lines of claims, and taking back expired leases.

function S.ended_attempt_of(id, fence)
  local length = rcall('LLEN', S.ENDED_ATTEMPTS .. id)
  for last = length - 1, 0, -100 do
    local found = rcall('LRANGE', S.ENDED_ATTEMPTS .. id, S.max(0, last - 99), last)
    for i = #found, 1, -1 do
      local attempt = S.decode(found[i])
      if attempt[2] == fence then return attempt end
      if attempt[2] < fence then return nil end
    end
  end
  return nil
end

-- True if a settlement equals what was recorded when its claim ended: it is a repeat after a lost
-- answer, not a late writer.
function S.is_repeated(id, r, item)
  local kind_of_end, attempt = item[OUT_TYPE], S.ended_attempt_of(id, item[2])
  if attempt then
    local reason = attempt[6]
    if kind_of_end == 'retry' then return reason == item[OUT_REASON] end
    if kind_of_end == 'crash' then return reason == 'lost' end
    if kind_of_end == 'snooze' then return reason == 'snoozed' end
    return (kind_of_end == 'release' or kind_of_end == 'unstarted') and reason == 'released'
  end
  if r[FENCE] ~= item[2] then return false end
  if r[STATE] == SCHEDULED and (r[REASON] == 'canceling' or r[REASON] == 'unwinding') then
    return true
  end
  if kind_of_end == 'park' and r[STATE] == SCHEDULED then return r[REASON] == 'parked' end
  if kind_of_end == 'unstarted' and r[STATE] == SCHEDULED then return r[REASON] == 'released' end
  if r[STATE] <= PROCESSING then return false end
  if r[RARE] and r[RARE].cancelAt then return r[STATE] == CANCELED end
  if kind_of_end ~= 'final' and r[REASON] == 'deadline' then return true end
  if kind_of_end == 'crash' then return r[REASON] == 'lost' end
  return kind_of_end == 'final' and item[OUT_STATE] == r[STATE] and item[OUT_REASON] == r[REASON]
    and item[OUT_RESULTS] == r[RESULTS]
end

function S.settle_items(items)
  local answer, ids = {}, {}
  for i = 1, #items do ids[i] = items[i][1] end
  S.load_rows(ids)
  for i = 1, #items do
    local item = items[i]
    local id = item[1]
    local r, status, is_known = S.row(id), STALE, item[3]
    if S.is_held(r, item[2]) then
      -- The caller knows the row as claimed and can compute the result, unless somebody canceled
      -- the instance or changed it since.
      local members = r[RARE]
      if members and (members.cancelAt or members.progress or members.flowId or members.stepsAt
        or members.waits) then
        is_known = false
      end
      S.write_lines(id, r, item[2], item[4])
      if item[5] then S.rare(r).version = item[5] end
      if item[6] then S.rare(r).progress = item[6] end
      if item[7] then S.rare(r).usage = item[7] end
      if item[OUT_STEPS] then
        S.need_flows()
        S.write_steps(id, r, item[OUT_STEPS])
      end
      S.finish(id, r, item)
      if item[OUT_NEWS] and r[STATE] > PROCESSING then
        S.need_memos()
        S.tell_output(id, r)
      end
      status = SETTLED_NOW
    elseif r then
      status = S.is_repeated(id, r, item) and REPEATED or STALE
      is_known = false
    end
    answer[3 * i - 2], answer[3 * i - 1], answer[3 * i] = status, false, false
    if r and not is_known then
      answer[3 * i - 1], answer[3 * i] = S.row_text(id), S.fixed_text(id)
    end
  end
  return answer
end

-- Runs contain plain outcomes. Returns the results of the items, then the ids in runs that were not
-- plain after all, and their results.
function S.settle(op)
  local left, left_ids = S.settle_runs(op[5]), {}
  for i = 1, #left do left_ids[i] = left[i][1] end
  return {S.settle_items(op[4]), left_ids, S.settle_items(left)}
end

function S.append_logs(op)
  local items, stale = op[4], {}
  for i = 1, #items do
    local id, fence, lines, progress = unpack(items[i])
    local r = S.row(id)
    if r and fence == 0 then
      S.write_lines(id, r, 0, lines)
    elseif S.is_held(r, fence) then
      if progress then
        S.rare(r).progress = progress
        S.touch(id)
      end
      S.write_lines(id, r, fence, lines)
    else
      stale[#stale + 1] = i
    end
  end
  return stale
end

-- The ids in an index whose rows are in the given state. The others are removed from it, since
-- nothing else would do that.
function S.ids_in(key, found, state)
  local ids = {}
  S.load_rows(found)
  for i = 1, #found do
    local r = S.row(found[i])
    if r and r[STATE] == state then
      ids[#ids + 1] = found[i]
    else
      S.index(key, found[i], false)
    end
  end
  return ids
end

function S.reap(op)
  local limit = op[4]
  S.flush()
  local expired = rcall('ZRANGEBYSCORE', S.LEASES, '-inf', S.mono, 'LIMIT', 0, limit)
  local ids = S.ids_in(S.LEASES, expired, PROCESSING)
  for i = 1, #ids do S.lose_attempt(ids[i], S.row(ids[i])) end
  S.flush()
  if #ids < limit then
    local found = rcall('ZRANGEBYSCORE', S.DEADLINES, '-inf', S.wall, 'LIMIT', 0, limit - #ids)
    for _, id in ipairs(S.ids_in(S.DEADLINES, found, SCHEDULED)) do
      local r = S.row(id)
      S.leave_waiting(id, r)
      S.pass_deadline(id, r, r[RARE].error, S.stamp)
      S.touch(id)
      ids[#ids + 1] = id
    end
  end
  return S.answer_rows(ids)
end

S.ACTIONS.settle, S.ACTIONS.appendLogs, S.ACTIONS.reap = S.settle, S.append_logs, S.reap
-- Successful ends of plain attempts without log lines, many at once. Each row is compared with the
-- one before, and indexes are written while rows are read.

-- The part of a row that it shares with others of the same claim; nil if the row is not plain or
-- not of this claim.
function S.shape_of(text, fence, kind)
  if not text or S.sub(text, 1, 9) ~= S.RUNS_PLAIN then return nil end
  local seq_from, its_fence, node = S.unpack_some(text, 3, 9)
  local tail_from, seq = S.unpack_some(text, 1, seq_from)
  local tail_to, its_kind, queue, keep_success, keep_failure = S.unpack_some(text, 4, tail_from)
  if its_fence ~= fence or its_kind ~= kind then return nil end
  local head = S.sub(text, 1, seq_from + 1)
  -- A head that no row has makes each row be checked by itself.
  if S.sub(head, -1) ~= S.WIDE then head = '\0' end
  return {head = head, seq = seq, seq_at = seq_from + 2,
    tail = S.sub(text, tail_from + 1, tail_to), tail_at = tail_from + 1, node = node, queue = queue,
    keep_success = keep_success, keep_failure = keep_failure, count = 0}
end

-- Free the slots of the last rows of one shape. Returns how the next ones are kept.
function S.begin_shape(last, shape, kind, state)
  if last and last.count > 0 then S.change_slots_of(kind, last.queue, last.node, -last.count) end
  if not shape then return nil end
  local keep = state == COMPLETED and shape.keep_success or shape.keep_failure
  return S.number_text(S.min(S.stamp + keep, MAX))
end

-- An id of a run as an item.
function S.item_of_run(run, i)
  local fence, _, state, reason, ids, results, usages = unpack(run)
  return {ids[i], fence, true, false, false, false, usages and usages[i], 'final', state, reason,
    false, results and results[i], false}
end

-- Settle a run: {fence, kind, state, reason, ids, results of each or false, usages of each or
-- false}. Rows that are not plain are appended to `left`, and all if their ends are news.
function S.settle_run(run, left)
  local fence, kind, state, reason, ids, results, usages = unpack(run)
  if S.is_news(kind, state) then
    for i = 1, #ids do left[#left + 1] = S.item_of_run(run, i) end
    return
  end
  local find, sub, from_bytes = S.find, S.sub, S.from_bytes
  local first, last = sub(S.RUNS_PLAIN, 1, 3) .. S.encode(state, 1), S.encode(S.stamp, reason)
  local start = first .. S.encode(false) .. last
  local start_of, start_with = false, start .. S.encode(false)
  -- The same with one rare member, whose value follows.
  local used = usages and first .. S.encode({usage = ''}):sub(1, -2)
  local found, puts, done, expiring = rcall('HMGET', S.ROWS, unpack(ids)), {}, {}, {}
  local shape, head, tail, tail_at, seq_at, expires_at = nil, '\0', '', 1, 1, nil
  local i, n, length = 1, #ids, 0
  while i <= n do
    local id, text, seq = ids[i], found[i], nil
    if text and find(text, head, 1, true) == 1 and find(text, tail, tail_at, true) == tail_at then
      seq = from_bytes('>I8', text, seq_at)
    else
      local before = shape
      shape = S.shape_of(text, fence, kind)
      expires_at = S.begin_shape(before, shape, kind, state)
      head = '\0'
      if shape then
        seq, head, tail = shape.seq, shape.head, shape.tail
        tail_at, seq_at = shape.tail_at, shape.seq_at
      end
    end
    if seq then
      local result, usage = results and results[i], usages and usages[i]
      if usage then
        puts[length + 2] = used .. S.encode(usage) .. last .. S.encode(result) .. sub(text, 10)
      else
        if result ~= start_of then start_of, start_with = result, start .. S.encode(result) end
        puts[length + 2] = start_with .. sub(text, 10)
      end
      puts[length + 1] = id
      done[length + 1], done[length + 2] = seq, id
      expiring[length + 1], expiring[length + 2] = expires_at, id
      length = length + 2
      shape.count = shape.count + 1
      i = i + 1
    else
      left[#left + 1] = S.item_of_run(run, i)
      -- The last id takes its place.
      ids[i], found[i] = ids[n], found[n]
      if results then results[i] = results[n] end
      if usages then usages[i] = usages[n] end
      n = n - 1
    end
  end
  if length == 0 then return end
  S.begin_shape(shape, nil, kind, state)
  rcall('HSET', S.ROWS, unpack(puts))
  rcall('ZREM', S.LEASES, unpack(ids, 1, n))
  rcall('ZREM', S.OPEN .. kind, unpack(ids, 1, n))
  rcall('ZADD', S.DONE .. state .. ':' .. kind, unpack(done))
  rcall('ZADD', S.EXPIRING, unpack(expiring))
  S.note_freed(kind)
end

-- Settle runs; no id is in them twice. Returns the items that are not plain.
function S.settle_runs(runs)
  local left = {}
  if #runs > 0 then S.flush_all() end
  for i = 1, #runs do S.settle_run(runs[i], left) end
  return left
end
