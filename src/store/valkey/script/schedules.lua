-- Reading and writing schedules and pauses.

function S.put_schedule(op)
  local id, record, expected, cursor = op[4], op[5], op[6], op[7]
  local there = S.schedule_of(id)
  local generation = there and there.generation or false
  if generation ~= expected or (cursor and not (there and there.cursor == cursor)) then
    return nil, {'generation', generation}
  end
  return S.set_schedule(id, record, there)
end

-- Write a schedule; `there` is the stored one, if any.
function S.set_schedule(id, record, there)
  record.version = S.next_number(there and there.version or 0)
  S.save_schedule(id, record)
  rcall('ZADD', S.SCHEDULE_IDS, 0, id)
  S.hint('schedules')
  return true
end

function S.delete_schedule(op)
  local id = op[4]
  if rcall('HDEL', S.SCHEDULE_ROWS, id) == 0 then return false end
  rcall('ZREM', S.SCHEDULE_IDS, id)
  rcall('ZREM', S.SCHEDULE_TIMES, id)
  S.hint('schedules')
  return true
end

function S.get_schedules(op)
  local ids, answer = op[4], {}
  for i, id in ipairs(ids) do answer[i] = rcall('HGET', S.SCHEDULE_ROWS, id) end
  return answer
end

function S.list_schedules(op)
  local after, is_reverse, limit = op[4], op[5], op[6]
  local ids
  if is_reverse then
    local from = after and '(' .. after or '+'
    ids = rcall('ZREVRANGEBYLEX', S.SCHEDULE_IDS, from, '-', 'LIMIT', 0, limit)
  else
    local from = after and '(' .. after or '-'
    ids = rcall('ZRANGEBYLEX', S.SCHEDULE_IDS, from, '+', 'LIMIT', 0, limit)
  end
  if #ids == 0 then return {} end
  return rcall('HMGET', S.SCHEDULE_ROWS, unpack(ids))
end

function S.due_schedules(op)
  local ids = rcall('ZRANGEBYSCORE', S.SCHEDULE_TIMES, '-inf', S.wall, 'LIMIT', op[5], op[4])
  if #ids == 0 then return {} end
  return rcall('HMGET', S.SCHEDULE_ROWS, unpack(ids))
end

-- Fates that begin in a span; if requested, also the one that contains its start.
function S.list_ticks(op)
  local schedule, from, to, is_reverse, limit, has_before = op[4], op[5], op[6], op[7], op[8], op[9]
  local found
  if is_reverse then
    found = rcall('ZREVRANGEBYSCORE', S.TICKS .. schedule, to, from, 'LIMIT', 0, limit)
  else
    found = rcall('ZRANGEBYSCORE', S.TICKS .. schedule, from, to, 'LIMIT', 0, limit)
  end
  if has_before then
    local before = rcall('ZREVRANGEBYSCORE', S.TICKS .. schedule,
      '(' .. string.format('%.0f', from), '-inf', 'LIMIT', 0, 1)[1]
    if before then table.insert(found, 1, before) end
  end
  return found
end

-- A pause is {until when, reason, since}.
function S.save_pause(kind, pause)
  rcall('HSET', S.PAUSES, kind, S.encode(pause))
  S.pauses_read = nil
  S.hint('pauses')
  return true
end

-- Returns false if there was no pause.
function S.drop_pause(kind)
  S.pauses_read = nil
  S.hint('pauses')
  return rcall('HDEL', S.PAUSES, kind) == 1
end

function S.set_pause(op)
  S.save_pause(op[4], {op[5], op[6], S.stamp})
  return S.stamp
end

function S.remove_pause(op)
  local pause = S.pauses()[op[4]]
  if not pause then return false end
  S.drop_pause(op[4])
  return (pause[1] or S.INFINITY) > S.wall
end

function S.list_pauses()
  return rcall('HGETALL', S.PAUSES)
end

S.ACTIONS.putSchedule, S.ACTIONS.deleteSchedule = S.put_schedule, S.delete_schedule
S.ACTIONS.getSchedules, S.ACTIONS.listSchedules = S.get_schedules, S.list_schedules
S.ACTIONS.dueSchedules, S.ACTIONS.listTicks = S.due_schedules, S.list_ticks
S.ACTIONS.setPause, S.ACTIONS.removePause, S.ACTIONS.listPauses =
  S.set_pause, S.remove_pause, S.list_pauses
