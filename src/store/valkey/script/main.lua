-- The end of every call: executes the operations in order, gives each its revision, and publishes
-- what they changed as one message.

-- Operations that make the data grow. The others also work when the server's memory is full, so
-- that jobs can end and be deleted.
S.GROWING = {enqueue = true, enqueueRuns = true, redrive = true, advance = true, backfill = true,
  putSchedule = true, appendLogs = true, writeRecords = true, recordRuns = true, putMemo = true,
  addNews = true, putSteps = true, signal = true}
S.is_full = false

-- A server that is out of memory refuses only the first write of a call, and allows those after it.
-- So the first write needs no memory, unless an operation makes the data grow: then it is one that
-- needs memory. Returns the server's error, nil if there is none.
function S.begin_writes()
  for i = 1, #S.operations do
    if S.GROWING[S.operations[i][1]] then
      local found = redis.pcall('SET', S.P .. 'head', S.head_text)
      if found.err then
        if not S.find(found.err, 'OOM', 1, true) then return found end
        S.is_full = true
      end
      break
    end
  end
  S.has_answers = rcall('EXPIRE', S.answers_key, ANSWERS_KEPT_S) == 1
  return nil
end

-- True if the user may execute a command. Some servers check the number of arguments too.
function S.may(command)
  local arguments = {}
  for i = 1, 5 do
    arguments[i] = S.P .. (command == 'PUBLISH' and 'hints' or 'head')
    local is_known, answer = pcall(redis.acl_check_cmd, command, unpack(arguments))
    if is_known then return answer end
  end
  return true
end

-- A command that the user may not execute; nil if there is none.
function S.denied_command()
  for i = 1, #COMMANDS do
    if COMMANDS[i] ~= 'TIME' and not S.may(COMMANDS[i]) then return COMMANDS[i] end
  end
  return nil
end

-- Open the store; creates the head in an empty one.
function S.open_store(op)
  local new_id, format, version, denied = op[4], op[5], op[7], S.denied_command()
  if denied then return S.encode({'denied', denied}) end
  if not S.head then
    S.head = {id = new_id, format = format, made_by = version, epoch = 0, rev = 0, at = 0, seq = 0,
      lead = 0, lag = 0, line = 0, mark = false, gaps = true}
  end
  if S.head.format > format then
    return S.encode({'newer', S.head.format, S.head.made_by or false})
  end
  S.set_moment(op[2], op[3])
  local mark = S.mark_now()
  if mark and mark[1] ~= 'draining' and not op[6] then return S.encode({'marked', mark[3]}) end
  -- Older versions refuse it if they cannot read what this one writes. To look at a store does not
  -- upgrade it under the older daemons that use it.
  if S.head.format < format and not op[6] then S.head.format, S.head.made_by = format, version end
  S.head.epoch = S.head.epoch + 1
  S.head.rev = S.next_number(S.head.rev)
  S.head.at = S.at
  S.begin_writes()
  rcall('SET', S.P .. 'head', S.encode(S.head))
  return S.encode({'opened', S.head.id, S.head.epoch, S.head.format, S.head.rev, S.at})
end

if S.operations[1][1] == 'open' then return S.open_store(S.operations[1]) end
-- A server that was restarted empty or filled with other data does not have the data of this node.
if not S.head or S.head.id ~= S.wanted_id then return S.encode({'lost', S.head and S.head.id}) end
-- A newer version may have changed the format since this node opened the store.
if S.head.format > STORE_FORMAT then
  return S.encode({'newer', S.head.format, S.head.made_by or false})
end

-- `NEW` is refused while the store drains or after it has moved. `MOVING` is never refused. The
-- rest is refused only after it has moved.
S.NEW = {enqueue = true, enqueueRuns = true, redrive = true, advance = true, backfill = true,
  putSchedule = true, deleteSchedule = true, setPause = true, removePause = true,
  recordRuns = true}
S.MOVING = {writeRecords = true, removeRecords = true, setMark = true}

function S.refused_by_mark(action)
  local mark = not S.is_read and S.head.mark and S.mark_now()
  if not mark or mark[1] == 'receiving' or S.MOVING[action] then return nil end
  if mark[1] == 'draining' and not S.NEW[action] then return nil end
  return {'marked', action, mark[3]}
end

if not S.is_read then
  local failure = S.begin_writes()
  if failure then return failure end
  -- Only the numbers of large answers that have arrived are kept, to recognize late copies.
  for i = 1, #S.received do
    rcall('HSET', S.answers_key, S.received[i] % ANSWERS_MAX, S.to_bytes('>I8', S.received[i]))
  end
end

for i = 1, #S.families do FAMILIES[S.families[i]]() end

S.answers = {}
for i = 1, #S.operations do
  local op = S.operations[i]
  S.set_moment(op[2], op[3])
  local value, refusal = nil, S.refused_by_mark(op[1])
    or (S.is_full and S.GROWING[op[1]] and {'memoryFull'})
  if not refusal then value, refusal = S.ACTIONS[op[1]](op) end
  if refusal then
    S.answers[i] = {0, 0, refusal}
  else
    if not S.is_read then
      if S.ended_children or S.ended_parents then
        S.need_flows()
        S.deliver_outcomes()
      end
      S.release_held()
      S.head.rev = S.next_number(S.head.rev)
      S.head.at = S.at
    end
    S.answers[i] = {S.head.rev,
      S.is_read and S.wall or S.wall == S.at and S.at or {S.at, S.stamp, S.wall}, value}
  end
end
if S.is_read then return S.encode({'done', S.answers}) end

S.flush()
rcall('SET', S.P .. 'head', S.encode(S.head))
S.hints = {S.hint_due or false, #S.hint_claims > 0 and S.hint_claims, S.hint_flags.schedules,
  S.hint_flags.pauses, S.hint_flags.nodes, S.hint_flags.deadlines}
for i = 1, 6 do S.hints[i] = S.hints[i] or false end
if S.hint_due or #S.hint_claims > 0 or next(S.hint_flags) then
  rcall('PUBLISH', S.P .. 'hints', S.encode({S.connection, S.hints}))
end
S.reply = S.encode({'done', S.answers, S.hints})
rcall('HSET', S.answers_key, S.answer_slot, S.to_bytes('>I8', S.number) .. S.reply)
if not S.has_answers then rcall('EXPIRE', S.answers_key, ANSWERS_KEPT_S) end
return S.reply
