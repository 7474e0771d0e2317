-- Reading and writing schedules and pauses, and finding what is due next.

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

-- The first rows that are not ready by their due time, as {due, id, kind} each: of some kinds, or
-- of all. The time of a kind in the list of all may be too early, never too late.
function S.later_instances(op)
  local kinds, limit = op[4], op[5]
  local found, answer = {}, {}
  local function read(kind)
    local list = rcall('ZRANGE', S.LATER .. kind, 0, limit - 1, 'WITHSCORES')
    for i = 1, #list, 2 do
      local _, seq, id = S.parse_member(list[i])
      found[#found + 1] = {tonumber(list[i + 1]), id, kind, seq}
    end
  end
  local function sort()
    table.sort(found, function(left, right)
      if left[1] ~= right[1] then return left[1] < right[1] end
      return left[4] < right[4]
    end)
    for i = #found, limit + 1, -1 do found[i] = nil end
  end
  if kinds then
    for _, kind in ipairs(kinds) do
      read(kind)
      if #found > 10 * limit then sort() end
    end
  else
    local from = 0
    repeat
      local list = rcall('ZRANGE', S.LATER_KINDS, from, from + limit - 1, 'WITHSCORES')
      if #found >= limit and list[2] and tonumber(list[2]) > found[#found][1] then break end
      for i = 1, #list, 2 do read(list[i]) end
      sort()
      from = from + limit
    until #list == 0
  end
  sort()
  for i = 1, #found do
    local entry = found[i]
    answer[3 * i - 2], answer[3 * i - 1], answer[3 * i] = entry[1], entry[2], entry[3]
  end
  return answer
end

-- Schedules by their next tick, without the first ones.
function S.next_schedules(op)
  local ids = rcall('ZRANGE', S.SCHEDULE_TIMES, op[5], op[5] + op[4] - 1)
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
S.ACTIONS.laterInstances, S.ACTIONS.nextSchedules = S.later_instances, S.next_schedules
S.ACTIONS.setPause, S.ACTIONS.removePause, S.ACTIONS.listPauses =
  S.set_pause, S.remove_pause, S.list_pauses
