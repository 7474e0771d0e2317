-- Steps that instances recorded, waits, signals, and the outcomes of children for their parents.
-- Each record of a step is a memo. Calls that settle or cancel define this family if they turn out
-- to need it; it needs that of memos.

function S.step_key(id, step) return STEP_MEMO .. id .. ':' .. step end

-- The record of a step as JSON; nil if there is none.
function S.step_text(id, step)
  local key = S.step_key(id, step)
  return S.memo_of(key) and rcall('HGET', S.MEMO_DATA, key) or nil
end

function S.write_step(id, step, text)
  local key = S.step_key(id, step)
  local there = S.memo_of(key)
  S.save_memo(key, {(there and there[1] or 0) + 1, 'failures', 0, 0})
  rcall('HSET', S.MEMO_DATA, key, text)
end

-- Note that a row has records, so that the others need no look for them: since a time, or 0 if they
-- are signals alone.
function S.note_steps(id, r, since)
  local there = r[RARE] and r[RARE].stepsAt
  if there and there >= S.min(since, 1) then return end
  S.rare(r).stepsAt = since
  S.touch(id)
end

-- Numbers of taken signals, by name. Job code can forge any record of its own instance.
function S.taken_in(text)
  local is_read, record = pcall(cjson.decode, text)
  local counts = is_read and type(record) == 'table' and record.taken
  local taken = {}
  if type(counts) ~= 'table' then return taken end
  for name, count in pairs(counts) do
    if type(count) == 'number' and count > 0 and S.floor(count) == count then taken[name] = count end
  end
  return taken
end

-- The key of a signal once those before it that were taken are gone; nil if it is one of them.
function S.moved_signal(key, taken, counts)
  local name, n = string.match(key, '^signal/(.*)/(%d+)$')
  if not name then return nil end
  local place = tonumber(n) - (taken[name] or 0)
  if place < 1 then return nil end
  counts[name] = S.max(counts[name] or 0, place)
  return 'signal/' .. name .. '/' .. string.format('%.0f', place)
end

-- Delete the records of an instance except signals that it has not taken, numbered anew.
function S.end_round(id, r, text)
  S.release_children(id, r)
  local taken, counts, kept = S.taken_in(text), {}, {}
  S.take_steps(id, function(step)
    local is_id = S.sub(step, 1, 7) == 'signal@'
    if not is_id and S.sub(step, 1, 7) ~= 'signal/' then return end
    local data = S.step_text(id, step)
    local moved = S.moved_signal(is_id and cjson.decode(data) or step, taken, counts)
    if moved then kept[#kept + 1] = is_id and {step, S.json_text(moved)} or {moved, data} end
  end)
  for i = 1, #kept do S.write_step(id, kept[i][1], kept[i][2]) end
  local texts = {}
  for name, count in pairs(counts) do
    texts[#texts + 1] = S.json_text(name) .. ':' .. string.format('%.0f', count)
  end
  if #texts > 0 then S.write_step(id, 'signals', '{' .. table.concat(texts, ',') .. '}') end
  if r[RARE] then r[RARE].failures, r[RARE].crashes = nil, nil end
  S.touch(id)
end

-- Write records, each {step, text, keeps one that exists}.
function S.write_steps(id, r, steps)
  for i = 1, #steps do
    local step, text, is_new = unpack(steps[i])
    if step == 'continued' then S.end_round(id, r, text) end
    if not (is_new and S.memo_of(S.step_key(id, step))) then S.write_step(id, step, text) end
    if S.sub(step, -5) == '/made' then S.give_turns(id, S.sub(step, 1, -6)) end
  end
  if #steps > 0 then S.note_steps(id, r, S.stamp) end
end

-- Copy step records to a new row: the keys of copied ones, then further ones.
function S.copy_steps(from, to, steps)
  local keys, puts = unpack(steps)
  for i = 1, #keys do
    local text = S.step_text(from, keys[i])
    if text then S.write_step(to, keys[i], text) end
  end
  S.write_steps(to, S.row(to), puts)
  S.note_steps(to, S.row(to), S.stamp)
end

function S.put_steps(op)
  local stale = {}
  for i = 1, #op[4] do
    local id, fence, steps = unpack(op[4][i])
    local r = S.row(id)
    if S.is_held(r, fence) then
      S.write_steps(id, r, steps)
    else
      stale[#stale + 1] = i
    end
  end
  return stale
end

-- Delete the records of an instance. They have no news.
function S.remove_steps(id, r)
  S.release_children(id, r)
  S.take_steps(id, function() end)
end

-- Delete the records of an instance, each after a look at it.
function S.take_steps(id, see)
  local prefix, limit = S.step_key(id, ''), 1000
  repeat
    local keys = S.memo_keys(prefix, '[' .. prefix, limit)
    for i = 1, #keys do see(S.sub(keys[i], #prefix + 1)) end
    for i = 1, #keys do S.memos[keys[i]] = false end
    S.write_pairs('HDEL', S.MEMOS, keys, #keys)
    S.write_pairs('HDEL', S.MEMO_DATA, keys, #keys)
    S.write_pairs('ZREM', S.MEMO_KEYS, keys, #keys)
  until #keys < limit
end

-- When a parked row is due: at once if one of its waits is satisfied.
function S.due_of_waits(id, r, due)
  for _, wait in ipairs(cjson.decode(r[RARE].waits)) do
    if type(wait.key) == 'string' and S.memo_of(S.step_key(id, wait.key)) then return S.wall end
  end
  return due
end

-- Let a row wait; the next claim continues its attempt.
function S.park(id, r, due, waits, at)
  S.rare(r).waits = waits
  due = S.due_of_waits(id, r, due)
  r[STATE], r[REASON], r[DUE], r[SCHEDULED_AT], r[NODE] = SCHEDULED, 'parked', due, at, false
  S.enter_waiting(id, r)
  S.hint_instances(due)
end

-- Make a row due if it is parked on a key. Returns false if it is not.
function S.wake(id, r, key)
  local waits = r[STATE] == SCHEDULED and r[RARE].waits
  -- Within texts the quotes are escaped, so this finds members only.
  if not waits or not S.find(waits, '"key":' .. S.json_text(key), 1, true) then return false end
  if r[DUE] > S.wall then
    S.leave_waiting(id, r)
    r[DUE] = S.wall
    S.touch(id)
    S.enter_waiting(id, r)
    S.hint_instances(S.wall)
  end
  return true
end

-- Count one more signal of a name. Returns its number and the text of the counts; nil if there are
-- too many. Escaped quotes are hidden while the text is taken apart.
function S.count_signal(id, name)
  local hide, show = {['"'] = '\1'}, {['\1'] = '\\"'}
  local wanted = string.gsub(S.json_text(name), '\\(.)', hide)
  local counts, sum, n = {}, 0, nil
  local text = string.gsub(S.step_text(id, 'signals') or '', '\\(.)', hide)
  for quoted, digits in string.gmatch(text, '("[^"]*"):(%d+)') do
    local count = tonumber(digits)
    sum = sum + count
    if quoted == wanted then
      count = count + 1
      n = count
    end
    counts[#counts + 1] = quoted .. ':' .. string.format('%.0f', count)
  end
  if sum >= SIGNALS_MAX then return nil end
  if not n then counts[#counts + 1] = wanted .. ':1' end
  return n or 1, (string.gsub('{' .. table.concat(counts, ',') .. '}', '\1', show))
end

-- A signal is {id or false, unique key, name, text, its own id or false}. Returns its fate and the
-- id of the instance.
function S.signal_one(signal)
  local id, unique, name, text, signal_id = unpack(signal)
  if not id then id = rcall('ZREVRANGE', S.settled(S.UNIQUE .. unique), 0, 0)[1] end
  local r = id and S.row(id)
  if not r then return 'gone' end
  if r[STATE] > PROCESSING then
    -- A final instance does not have its unique key any more.
    if unique then return 'gone' end
    return 'ended', id
  end
  local own_key = signal_id and 'signal@' .. signal_id
  if own_key and S.memo_of(S.step_key(id, own_key)) then return 'duplicate', id end
  local n, counts = S.count_signal(id, name)
  if not n then return 'full', id end
  local key = 'signal/' .. name .. '/' .. string.format('%.0f', n)
  S.write_step(id, 'signals', counts)
  S.write_step(id, key, text)
  if own_key then S.write_step(id, own_key, S.json_text(key)) end
  S.note_steps(id, r, 0)
  return S.wake(id, r, key) and 'woke' or 'stored', id
end

function S.signal(op)
  local answer = {}
  for i = 1, #op[4] do
    local status, id = S.signal_one(op[4][i])
    answer[i] = {status}
    if id then S.answer_row(answer[i], id) end
  end
  return answer
end

-- A time as JSON has it: "2030-01-31T09:00:00.000Z".
function S.time_text(ms)
  local days, rest = S.floor(ms / 86400000), ms % 86400000
  -- Days since March 1st of the year 0, in cycles of 400 years. A year begins with March.
  local all = days + 719468
  local cycle = S.floor(all / 146097)
  local day = all - cycle * 146097
  local year = S.floor((day - S.floor(day / 1460) + S.floor(day / 36524) - S.floor(day / 146096))
    / 365)
  day = day - (365 * year + S.floor(year / 4) - S.floor(year / 100))
  local month = S.floor((5 * day + 2) / 153)
  day = day - S.floor((153 * month + 2) / 5) + 1
  year = year + cycle * 400 + (month > 9 and 1 or 0)
  local form = year < 0 and '-%06d' or year > 9999 and '+%06d' or '%04d'
  return string.format(form .. '-%02d-%02dT%02d:%02d:%02d.%03dZ', math.abs(year),
    month > 9 and month - 9 or month + 3, day, S.floor(rest / 3600000),
    S.floor(rest / 60000) % 60, S.floor(rest / 1000) % 60, rest % 1000)
end

S.STATE_NAMES = {[COMPLETED] = '"completed"', [TERMINATED] = '"terminated"',
  [CANCELED] = '"canceled"', [TIMED_OUT] = '"timedOut"'}

-- An error as JSON. A passed deadline has the words of passDeadline in src/store/ledger/rules.ts.
function S.error_text(r, err)
  if err ~= S.PAST_DEADLINE then return err or 'null' end
  return '{"name":"TimeoutError","message":"Not completed by its deadline '
    .. S.time_text(r[RARE].deadlineAt) .. '"}'
end

-- The outcome of a child as its parent gets it.
function S.outcome_text(id, r)
  local members, results = r[RARE], r[RESULTS]
  local err = S.error_text(r, members.error)
  return '{"id":' .. S.json_text(id) .. ',"state":' .. S.STATE_NAMES[r[STATE]]
    .. ',"reason":' .. (r[REASON] and S.json_text(r[REASON]) or 'null')
    .. ',"resultsJson":' .. (results and S.json_text(results) or 'null')
    .. ',"error":' .. err .. ',"at":' .. string.format('%.0f', r[SETTLED]) .. '}'
end

-- The record of the end that a row has once it has taken back what its steps did. The error is its
-- last member.
function S.ending_text(r, state, reason, err)
  local members = r[RARE]
  local deadline = members.deadlineAt and string.format('%.0f', members.deadlineAt) or 'null'
  return '{"state":' .. S.STATE_NAMES[state] .. ',"reason":'
    .. (reason and S.json_text(reason) or 'null') .. ',"deadlineAt":' .. deadline .. ',"error":'
    .. S.error_text(r, err) .. '}'
end

-- Make a row that would end due once more, to take back what its steps did. Returns false if there
-- is nothing to take back. See putOffEnd in src/store/ledger/operations/unwinding.ts.
function S.put_off_end(id, r, state, reason, err, at)
  local members = r[RARE]
  local ending = S.memo_of(S.step_key(id, 'ending'))
  local has_undos = S.memo_of(S.step_key(id, 'undo')) and not S.memo_of(S.step_key(id, 'undone'))
  local canceled, deadline = members.cancelAt, members.deadlineAt
  if not ending and not canceled then
    if state == COMPLETED or r[ATTEMPT] == 0 or not (has_undos or reason == 'deadline') then
      return false
    end
    S.write_step(id, 'ending', S.ending_text(r, state, reason, err))
    S.set_rare(r, 'error', err and S.error_text(r, err))
    members.deadlineAt = reason == 'deadline' and at + CANCEL_GRACE_MS or nil
    S.unwind(id, r, 'unwinding', at, at + 1)
    return true
  end
  if not has_undos or reason == 'replaced' then return false end
  if deadline and at + UNWIND_AGAIN_MS >= deadline then return false end
  S.set_rare(r, 'error', err and S.error_text(r, err))
  if canceled then
    S.unwind_canceled(id, r, at, S.is_unwinding(r) and at + UNWIND_AGAIN_MS)
  else
    S.unwind(id, r, 'unwinding', at, at + UNWIND_AGAIN_MS)
  end
  return true
end

-- How a row ends: as was recorded before it took back what its steps did, unless it is canceled.
function S.ending_of(id, r, state, reason, err)
  local text = not r[RARE].cancelAt and S.step_text(id, 'ending')
  if not text then return state, reason, err end
  local kept = cjson.decode(text)
  for known, name in pairs(S.STATE_NAMES) do
    if name == '"' .. kept.state .. '"' then state = known end
  end
  r[RARE].deadlineAt = type(kept.deadlineAt) == 'number' and kept.deadlineAt or nil
  local _, from = S.find(text, ',"error":', 1, true)
  err = S.sub(text, from + 1, -2)
  return state, type(kept.reason) == 'string' and kept.reason, err ~= 'null' and err
end

-- Children of a call that take turns: its count of open children as text, how many may be under way
-- at once, the place of the next one, how many before it are under way, and how many there are. Nil
-- if they take none.
function S.turns_of(text)
  local max, next, running = string.match(text, '"turns":{"max":(%d+),"next":(%d+),"running":(%d+)}')
  local total = string.match(text, '"total":(%d+)')
  if not max or not total then return nil end
  return tonumber(max), tonumber(next), tonumber(running), S.min(tonumber(total), STEPS_MAX)
end

-- A child that waits for its turn begins. Its deadline counts from then.
function S.begin_turn(r)
  local members = r[RARE]
  local own = string.match(members.waits, '"deadlineMs":(%d+)')
  if own then members.deadlineAt = S.min(members.deadlineAt or MAX, S.wall + tonumber(own)) end
  members.waits, r[DUE] = nil, S.wall
end

-- Let a child run that waits for its turn. Returns false if it does not.
function S.give_turn(parent, group, place)
  local ids = S.step_text(parent, group .. '/ids-' .. string.format('%.0f', S.floor(place / TURN_IDS)))
  if not ids then return false end
  -- A quote stands before the first one.
  local from = place % TURN_IDS * ID_LENGTH + 2
  local id = S.sub(ids, from, from + ID_LENGTH - 1)
  local r = S.row(id)
  local members = r and r[RARE]
  if not members or members.parentId ~= parent
    or members.parentStep ~= group .. string.format('/%04.0f', place) then
    return false
  end
  if r[STATE] ~= SCHEDULED or not S.find(members.waits or '', '"key":"turn"', 1, true) then
    return false
  end
  S.leave_waiting(id, r)
  S.begin_turn(r)
  S.touch(id)
  S.enter_waiting(id, r)
  S.hint_instances(S.wall)
  return true
end

-- Give children of a call their turns while fewer than allowed are under way. Returns the count of
-- open children then, as text.
function S.with_turns(parent, group, text, all)
  local max, next, running, total = S.turns_of(text)
  if not max then return text end
  while next < total and (all or running < max) do
    if S.give_turn(parent, group, next) then running = running + 1 end
    next = next + 1
  end
  return S.turns_text(text, next, running)
end

function S.turns_text(text, next, running)
  return (string.gsub(text, '"next":%d+,"running":%d+}',
    string.format('"next":%.0f,"running":%.0f}', next, running), 1))
end

function S.give_turns(parent, group)
  local key = group .. '/open'
  local text = S.step_text(parent, key)
  if text and S.turns_of(text) then S.write_step(parent, key, S.with_turns(parent, group, text)) end
end

-- Calls of a row whose children take turns.
function S.groups_of(id)
  local prefix = S.step_key(id, 'turns/')
  local keys = S.memo_keys(prefix, '[' .. prefix, STEPS_MAX)
  for i = 1, #keys do keys[i] = S.sub(keys[i], #prefix + 1) end
  return keys
end

-- Let all children run that wait for their turn: the records by which they take it go.
function S.release_children(id, r)
  if not r[RARE] or not r[RARE].flowId then return end
  local groups = S.groups_of(id)
  for i = 1, #groups do
    local text = S.step_text(id, groups[i] .. '/open')
    if text then S.with_turns(id, groups[i], text, true) end
  end
end

-- Count the end of a child, and give the next one its turn unless the wait for all is over.
function S.end_turn(parent, group, place, text, is_over)
  local max, next, running = S.turns_of(text)
  if not max then return text end
  if tonumber(place) < next then running = running - 1 end
  text = S.turns_text(text, next, S.max(running, 0))
  return is_over and text or S.with_turns(parent, group, text)
end

-- Count the end of a child among its siblings. Returns true if the wait for them ends with it.
function S.is_group_over(parent, group, place, id, r)
  local text = S.step_text(parent, group .. '/open')
  local open = text and tonumber(string.match(text, '"open":(%-?%d+)'))
  if not open then return false end
  local now = string.format('%.0f', open - 1)
  text = string.gsub(text, '"open":%-?%d+', '"open":' .. now, 1)
  local has_failed = r[STATE] ~= COMPLETED
  local is_too_often = has_failed and S.find(text, '"isFast":true', 1, true)
  local failed = has_failed and tonumber(string.match(text, '"failed":(%d+)'))
  if failed then
    text = string.gsub(text, '"failed":%d+', '"failed":' .. string.format('%.0f', failed + 1), 1)
    local most = tonumber(string.match(text, '"failuresMax":(%d+)'))
    is_too_often = is_too_often or (most and failed >= most)
  end
  S.write_step(parent, group .. '/open', S.end_turn(parent, group, place, text, is_too_often))
  if open > 1 and not is_too_often then return false end
  if S.memo_of(S.step_key(parent, group)) then return false end
  local failures = string.match(text, '"failed":%d+')
  S.write_step(parent, group, '{"open":' .. now .. ',"by":' .. S.json_text(id) .. ',"at":'
    .. string.format('%.0f', r[SETTLED]) .. (failures and ',' .. failures or '') .. '}')
  return true
end

-- The record of an outcome: of a call that wants no results, only a failure has more than its state.
function S.recorded_outcome(parent, group, id, r)
  local text = r[STATE] == COMPLETED and group and S.step_text(parent, group .. '/open')
  if not text or not S.find(text, '"isBare":true', 1, true) then return S.outcome_text(id, r) end
  return S.outcome_text(id, {[STATE] = r[STATE], [REASON] = r[REASON], [SETTLED] = r[SETTLED],
    [RARE] = r[RARE]})
end

function S.deliver_outcome(id, r)
  local parent, step = r[RARE].parentId, r[RARE].parentStep
  local parent_row = parent and S.row(parent)
  if not parent_row then return end
  local group, place = string.match(step, '^(.*)/([^/]*)$')
  if parent_row[STATE] > PROCESSING then
    local text = group and S.step_text(parent, group .. '/open')
    if text and S.turns_of(text) then
      S.write_step(parent, group .. '/open', S.end_turn(parent, group, place, text))
    end
    return
  end
  if S.memo_of(S.step_key(parent, step)) then return end
  S.write_step(parent, step, S.recorded_outcome(parent, group, id, r))
  S.note_steps(parent, parent_row, S.stamp)
  if not group or S.is_group_over(parent, group, place, id, r) then
    S.wake(parent, parent_row, group or step)
  end
end

-- Give the outcomes of the children that became final to their parents. Where a parent became final
-- and none of its children is under way, nothing else would give the others their turn.
function S.deliver_outcomes()
  local children, parents = S.ended_children, S.ended_parents
  S.ended_children, S.ended_parents = false, false
  for i = 1, children and #children or 0, 2 do S.deliver_outcome(children[i], children[i + 1]) end
  for i = 1, parents and #parents or 0 do
    local groups = S.groups_of(parents[i])
    for k = 1, #groups do S.give_turns(parents[i], groups[k]) end
  end
end

S.ACTIONS.putSteps, S.ACTIONS.signal = S.put_steps, S.signal
