/** Looking for what cannot be: indexes against rows, rows against themselves, counts against both. */
export const PROBLEMS = String.raw`
-- Where a row must be found: {set, score}; and how it is called when it is not.
function S.places_of(id, r)
  local kind, members, places = r[KIND], r[RARE] or {}, {}
  local function wanted(what, key, member, score) places[#places + 1] = {what, key, member, score} end
  wanted('index by id', S.IDS, id, 0)
  if members.uniqueKey then wanted('index by unique key', S.UNIQUE .. members.uniqueKey, id, r[SEQ]) end
  if members.scheduleId then wanted('index by schedule', S.OF_SCHEDULE .. members.scheduleId, id, r[SEQ]) end
  if members.retryOf then wanted('index by retry', S.RETRIES .. members.retryOf, id, r[SEQ]) end
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
  if rcall('ZSCORE', S.READY .. kind, member) then return true end
  return r[QUEUE] and rcall('ZSCORE', S.BEHIND .. kind .. '\0' .. r[QUEUE], member) and true or false
end

function S.problems_of(id, r)
  local found, members = {}, r[RARE] or {}
  local function say(check, message) found[#found + 1] = {check, 'instance ' .. id .. ': ' .. message} end
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
    if r[FENCE] == 0 then say('instance', 'processing without a fence') end
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

-- Some rows, whatever finds them, and where to go on.
function S.check_rows(op)
  local part, found = rcall('HSCAN', S.ROWS, op[4], 'COUNT', 200), {}
  for i = 1, #part[2], 2 do
    for _, problem in ipairs(S.problems_of(part[2][i], S.decode(part[2][i + 1]))) do
      if #found < op[5] then found[#found + 1] = problem end
    end
  end
  return {part[1], found}
end

function S.check_counts()
  local found, total, open = {}, 0, 0
  for _, kind in ipairs(rcall('SMEMBERS', S.KINDS)) do
    open = rcall('ZCARD', S.OPEN .. kind)
    total = total + open
    for state = COMPLETED, TIMED_OUT do total = total + rcall('ZCARD', S.DONE .. state .. ':' .. kind) end
    local processing = S.count_of(S.SLOTS, 'k' .. kind)
    if processing < 0 or processing > open then
      found[#found + 1] = {'counts', 'processing instances of "' .. kind .. '": ' .. processing .. ' counted'}
    end
  end
  local rows, leases = rcall('HLEN', S.ROWS), rcall('ZCARD', S.LEASES)
  if total ~= rows then
    found[#found + 1] = {'counts', 'instances: ' .. total .. ' by state, ' .. rows .. ' there'}
  end
  local slots = 0
  for _, kind in ipairs(rcall('SMEMBERS', S.KINDS)) do slots = slots + S.count_of(S.SLOTS, 'k' .. kind) end
  if slots ~= leases then
    found[#found + 1] = {'counts', 'processing instances: ' .. slots .. ' counted, ' .. leases .. ' with a lease'}
  end
  return found
end

S.ACTIONS.checkRows, S.ACTIONS.checkCounts = S.check_rows, S.check_counts
`;
