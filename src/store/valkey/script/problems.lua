-- Finding inconsistencies: indexes against rows, rows against themselves, counts against both.

-- The entries that a row must have: {name of the check, set, member, score}.
function S.places_of(id, r)
  local kind, members, places = r[KIND], r[RARE] or {}, {}
  local function wanted(what, key, member, score)
    places[#places + 1] = {what, key, member, score}
  end
  wanted('index by id', S.IDS, id, 0)
  if members.uniqueKey then
    wanted('index by unique key', S.UNIQUE .. members.uniqueKey, id, r[SEQ])
  end
  if members.scheduleId then
    wanted('index by schedule', S.OF_SCHEDULE .. members.scheduleId, id, r[SEQ])
  end
  if members.retryOf then wanted('index by retry', S.RETRIES .. members.retryOf, id, r[SEQ]) end
  if members.parentId then wanted('index by parent', S.CHILDREN .. members.parentId, id, r[SEQ]) end
  if members.flowId then wanted('index by flow', S.FLOWS .. members.flowId, id, r[SEQ]) end
  if r[STATE] > PROCESSING then
    wanted('index by state', S.DONE .. r[STATE] .. ':' .. kind, id, r[SEQ])
    wanted('index by retention', S.EXPIRING, id, S.expire_at(r))
    return places
  end
  wanted('index by state', S.OPEN .. kind, id, r[SEQ])
  if members.scheduleId then
    wanted('index by schedule', S.OPEN_OF_SCHEDULE .. members.scheduleId, id, r[SEQ])
  end
  if r[STATE] == SCHEDULED and members.deadlineAt then
    wanted('index by deadline', S.DEADLINES, id, members.deadlineAt)
  end
  return places
end

function S.waits(id, r)
  local member, kind = S.member_of(id, r, r[DUE]), r[KIND]
  if rcall('ZSCORE', S.LATER .. kind, S.member_of(id, r, r[PRIORITY])) then return true end
  if rcall('ZSCORE', S.READY .. kind, member) then
    local offered = r[QUEUE] and S.offered_of(kind .. '\0' .. r[QUEUE])
    return not r[QUEUE] or (offered and offered.seq == r[SEQ])
  end
  return r[QUEUE] and rcall('ZSCORE', S.BEHIND .. kind .. '\0' .. r[QUEUE], member) and true
    or false
end

function S.problems_of(id, r)
  local found, members = {}, r[RARE] or {}
  local function say(check, message)
    found[#found + 1] = {check, 'instance ' .. id .. ': ' .. message}
  end
  for _, place in ipairs(S.places_of(id, r)) do
    local score = rcall('ZSCORE', place[2], place[3])
    if not score then
      say(place[1], 'not found there')
    elseif tonumber(score) ~= place[4] then
      say(place[1], string.format('found at %.0f where %.0f is wanted', tonumber(score), place[4]))
    end
  end
  if r[STATE] == SCHEDULED and not members.held and not S.waits(id, r) then
    say('index by due time', 'waits and is offered to no claim')
  end
  if r[STATE] == PROCESSING then
    if not rcall('ZSCORE', S.LEASES, id) then say('lease', 'processing without a lease') end
    if r[FENCE] == 0 and r[ATTEMPT] == 0 then say('instance', 'processing without a fence') end
    if not r[NODE] then say('instance', 'processing without a node') end
  end
  if (r[STATE] > PROCESSING) ~= (r[SETTLED] and true or false) then
    say('instance', 'its settled time does not fit its state')
  end
  if r[SEQ] > S.head.seq then say('order', 'accepted after the last one') end
  if rcall('HEXISTS', S.FIXED, id) == 0 then say('instance', 'it has no arguments') end
  if (members.failures or 0) + (members.crashes or 0) > r[ATTEMPT] then
    say('instance', 'more failures than attempts')
  end
  return found
end

-- Check some rows, whether or not an index finds them. Also returns where to continue.
function S.check_rows(op)
  local part, found = rcall('HSCAN', S.ROWS, op[4], 'COUNT', 200), {}
  for i = 1, #part[2], 2 do
    for _, problem in ipairs(S.problems_of(part[2][i], S.decode(part[2][i + 1]))) do
      if #found < op[5] then found[#found + 1] = problem end
    end
  end
  return {part[1], found}
end

function S.sum_of(hash, first)
  local sum, list = 0, rcall('HGETALL', hash)
  for i = 1, #list, 2 do
    if not first or S.sub(list[i], 1, 1) == first then sum = sum + tonumber(list[i + 1]) end
  end
  return sum
end

-- Check that claims look for a kind that has waiting instances.
function S.check_kind(kind, say)
  local due = rcall('ZRANGE', S.LATER .. kind, 0, 0, 'WITHSCORES')[2]
  local is_ready = rcall('EXISTS', S.READY .. kind) == 1 or S.count_of(S.BEHIND_COUNTS, kind) > 0
  if is_ready and rcall('SISMEMBER', S.READY_KINDS, kind) == 0 then
    say('index by kind', '"' .. kind .. '" has due instances that no claim looks for')
  end
  local looked_at = due and rcall('ZSCORE', S.LATER_KINDS, kind)
  if due and not (looked_at and tonumber(looked_at) <= tonumber(due)) then
    say('index by kind', '"' .. kind .. '" has instances that no claim makes due')
  end
  local open, processing = rcall('ZCARD', S.OPEN .. kind), S.count_of(S.SLOTS, 'k' .. kind)
  if processing < 0 or processing > open then
    say('counts', 'processing instances of "' .. kind .. '": ' .. processing .. ' counted')
  end
end

-- Compare the ticks of each schedule with the index by time.
function S.check_schedules(same)
  local rows, ticks = rcall('HLEN', S.SCHEDULE_ROWS), 0
  same('schedules', rcall('ZCARD', S.SCHEDULE_IDS), 'by id', rows, 'there')
  local timed = 0
  for _, text in ipairs(rcall('HVALS', S.SCHEDULE_ROWS)) do
    if S.decode(text).nextAt then timed = timed + 1 end
  end
  same('schedules', rcall('ZCARD', S.SCHEDULE_TIMES), 'by next tick', timed, 'with one')
  for _, schedule in ipairs(rcall('ZRANGE', S.TICK_SCHEDULES, 0, -1)) do
    ticks = ticks + rcall('ZCARD', S.TICKS .. schedule)
  end
  same('fates of ticks', rcall('ZCARD', S.TICK_TIMES), 'by time', ticks, 'by schedule')
end

-- Check what is noted of memos, so that no end is missed as news.
function S.check_memos(same)
  local head, watchers = S.head, S.memo_keys(WATCHER_MEMO, '[' .. WATCHER_MEMO, -1)
  same('memos', rcall('ZCARD', S.MEMO_KEYS), 'by key', rcall('HLEN', S.MEMOS), 'stored')
  same('nodes that ask for news', head.watchers or 0, 'counted', #watchers, 'stored')
  same('kinds with a watch', head.watches or 0, 'counted', rcall('HLEN', S.WATCHES), 'stored')
end

function S.check_counts()
  local found, open, final, waiting = {}, 0, 0, S.sum_of(S.BEHIND_COUNTS) + S.sum_of(S.HELD)
  local function say(check, message) found[#found + 1] = {check, message} end
  local function same(what, left, left_name, right, right_name)
    if left == right then return end
    say('counts', what .. ': ' .. left .. ' ' .. left_name .. ', ' .. right .. ' ' .. right_name)
  end
  for _, kind in ipairs(rcall('SMEMBERS', S.KINDS)) do
    open = open + rcall('ZCARD', S.OPEN .. kind)
    for state = COMPLETED, TIMED_OUT do
      final = final + rcall('ZCARD', S.DONE .. state .. ':' .. kind)
    end
    waiting = waiting + rcall('ZCARD', S.READY .. kind) + rcall('ZCARD', S.LATER .. kind)
    S.check_kind(kind, say)
  end
  local rows, slots, lines = rcall('HLEN', S.ROWS), S.sum_of(S.SLOTS, 'k'), rcall('HLEN', S.LINES)
  same('instances', open + final, 'by state', rows, 'there')
  same('instances', rcall('ZCARD', S.IDS), 'by id', rows, 'there')
  same('instances', rcall('HLEN', S.FIXED), 'with arguments', rows, 'there')
  same('finished instances', rcall('ZCARD', S.EXPIRING), 'by retention', final, 'by state')
  same('waiting instances', waiting, 'offered or held', open - slots, 'by state')
  same('processing instances', slots, 'counted', rcall('ZCARD', S.LEASES), 'with a lease')
  same('processing instances', slots, 'by kind', S.sum_of(S.SLOTS, 'n'), 'by node')
  same('processing instances', S.sum_of(S.SLOTS, 'q'), 'by queue', S.sum_of(S.SLOTS, 'm'),
    'by queue and node')
  local kept = S.sum_of(S.SLOTS, 'h')
  if kept < 0 or kept > open then say('counts', 'kept slots: ' .. kept .. ' counted') end
  same('lines of logs', rcall('ZCARD', S.LINE_TIMES), 'by time', lines, 'there')
  same('lines of logs', rcall('ZCARD', S.LINE_PLACES), 'by place', lines, 'there')
  S.check_schedules(same)
  S.check_memos(same)
  return found
end

S.ACTIONS.checkRows, S.ACTIONS.checkCounts = S.check_rows, S.check_counts
