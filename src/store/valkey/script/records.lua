-- Export and import: everything in the store, read, written and removed record by record.

function S.head_record()
  return {S.head.at, S.head.epoch}
end

-- The id of the instance with this acceptance number.
function S.id_at(order)
  if order > S.head.seq then return nil end
  S.flush()
  return S.next_ids(S.merged(S.indexes_of({}, false), nil, order, order, false, 1), 1)[1]
end

-- Add an unfinished row to the indexes of those; without a score, remove it.
function S.index_open(id, r, score)
  S.index(S.OPEN .. r[KIND], id, score)
  local members = r[RARE]
  if members and members.scheduleId then
    S.index(S.OPEN_OF_SCHEDULE .. members.scheduleId, id, score)
  end
end

-- Remove a row from all indexes.
function S.take_row(id, r)
  if r[STATE] == SCHEDULED then
    S.flush()
    S.leave_waiting(id, r)
  elseif r[STATE] == PROCESSING then
    S.index(S.LEASES, id, false)
    S.change_slots(r, -1)
  else
    S.index(S.DONE .. r[STATE] .. ':' .. r[KIND], id, false)
    S.index(S.EXPIRING, id, false)
  end
  if r[STATE] <= PROCESSING then
    S.index_open(id, r, false)
    S.count_kept(r, -1)
  end
  S.index_row(id, r, false)
  rcall('DEL', S.ENDED_ATTEMPTS .. id)
  S.rows[id], S.texts[id], S.dirty[id], S.fixed_texts[id] = false, nil, nil, nil
  S.flush()
  rcall('HDEL', S.ROWS, id)
  rcall('HDEL', S.FIXED, id)
end

-- Its log lines go too: nobody could read them without the instance.
function S.remove_row(id, r)
  S.remove_lines(rcall('ZRANGE', S.settled(S.LINES_OF .. id), 0, -1), id)
  S.take_row(id, r)
  S.forget_kind(r[KIND])
end

-- Write an instance: {order, id, row, fixed part, is held, ended attempts}.
function S.write_instance(item)
  local order, id, r, fixed, is_held, ended_attempts = unpack(item)
  local there, other = S.row(id), nil
  if not (there and there[SEQ] == order) then other = S.id_at(order) end
  if other and other ~= id then S.remove_row(other, S.row(other)) end
  if there then
    -- Its log lines stay.
    local members = there[RARE] or {}
    S.set_rare(r, 'logs', members.logs)
    S.set_rare(r, 'notes', members.notes)
    S.take_row(id, there)
    if there[KIND] ~= r[KIND] then S.forget_kind(there[KIND]) end
  end
  local head, time = S.head, S.min(r[CREATED] * 1024, TIME_MAX)
  head.seq = S.max(head.seq, order)
  head.lead, head.lag = S.max(head.lead, order - time), S.max(head.lag, time - order)
  r[SEQ] = order
  S.rows[id], S.fixed_texts[id] = r, fixed
  S.touch(id)
  S.new_kinds[r[KIND]] = true
  S.index_row(id, r, order)
  local members = r[RARE]
  if r[STATE] <= PROCESSING then
    S.index_open(id, r, order)
    S.count_kept(r, 1)
  end
  if r[STATE] == SCHEDULED and is_held then
    members.held = true
    S.count(S.HELD, members.scheduleId, 1)
  elseif r[STATE] == SCHEDULED then
    S.enter_later(id, r)
    S.hint_instances(r[DUE])
  elseif r[STATE] == PROCESSING then
    -- A claim has no lease any more: the next reap takes it back.
    if not S.is_elsewhere(r) then S.rare(r).lost = true end
    S.index(S.LEASES, id, S.is_elsewhere(r) and MAX or 0)
    S.change_slots(r, 1)
  else
    S.index(S.DONE .. r[STATE] .. ':' .. r[KIND], id, order)
    S.index(S.EXPIRING, id, S.expire_at(r))
  end
  if r[STATE] == SCHEDULED and members and members.deadlineAt then
    S.index(S.DEADLINES, id, members.deadlineAt)
  end
  for _, attempt in ipairs(ended_attempts) do
    rcall('RPUSH', S.ENDED_ATTEMPTS .. id, S.encode(attempt))
  end
  return true
end

-- Write a log line: {place, id, line}.
function S.write_log(item)
  local place, id, line = item[1], item[2], item[3]
  local r = S.row(id)
  if not r then return false end
  S.flush()
  S.remove_place(place)
  local member = S.to_bytes('>I8', place)
  rcall('HSET', S.LINES, place, S.encode(line))
  rcall('ZADD', S.LINE_TIMES, line[1], member)
  rcall('ZADD', S.LINE_PLACES, place, member)
  rcall('ZADD', S.LINES_OF .. id, place, member)
  S.rare(r).logs = S.max(S.rare(r).logs or 0, line[7])
  S.touch(id)
  S.head.line = S.max(S.head.line, place)
  return true
end

-- Take the window of a span out of a list. Returns true if there was one.
function S.take_window(windows, span)
  local is_there = false
  for i = #windows, 1, -1 do
    if windows[i][1] == span then
      table.remove(windows, i)
      is_there = true
    end
  end
  return is_there
end

function S.write_rate(item)
  local name, span, starts, expires = unpack(item)
  local windows = S.windows_of(name)
  S.take_window(windows, span)
  windows[#windows + 1] = {span, starts, expires}
  S.windows_dirty[name] = true
  S.save_starts()
  return true
end

function S.write_schedule(item)
  local id, record = item[1], item[2]
  return S.set_schedule(id, record, S.schedule_of(id))
end

function S.write_pause(item)
  return S.save_pause(item[1], {item[2], item[3], item[4]})
end

function S.write_head(item)
  S.head.at = S.max(S.head.at, item[1])
  S.at = S.max(S.at, S.head.at)
  S.head.epoch = S.max(S.head.epoch, item[2])
  return true
end

function S.write_fate(item)
  S.add_tick(item[1], item[2])
  return true
end

-- Write records: {type, what its writer needs}.
function S.write_records(op)
  local written = 0
  local writers = {head = S.write_head, schedule = S.write_schedule, pause = S.write_pause,
    instance = S.write_instance, tick = S.write_fate, rate = S.write_rate, memo = S.write_memo,
    log = S.write_log}
  S.flush()
  for _, record in ipairs(op[4]) do
    if writers[record[1]](record[2]) then written = written + 1 end
  end
  S.flush()
  return written
end

function S.remove_rate(name, span)
  local windows = S.windows_of(name)
  local is_there = S.take_window(windows, span)
  S.windows_dirty[name] = true
  S.save_starts()
  if #windows == 0 then
    rcall('HDEL', S.STARTS, name)
    rcall('ZREM', S.START_TIMES, name)
  end
  return is_there
end

function S.remove_one(key)
  local what, first, second = key[1], key[2], key[3]
  if what == 'schedule' then return S.delete_schedule({false, false, false, first}) end
  if what == 'pause' then return S.drop_pause(first) end
  if what == 'instance' then
    local id = S.id_at(first)
    local r = id and S.row(id)
    if not r then return false end
    S.remove_row(id, r)
    return true
  end
  if what == 'tick' then
    local is_there = rcall('ZCOUNT', S.TICKS .. first, second, second) > 0
    S.remove_tick(first, second)
    return is_there
  end
  if what == 'rate' then return S.remove_rate(first, second) end
  if what == 'memo' then return S.drop_memo(first) end
  return what == 'log' and S.remove_place(first)
end

function S.remove_records(op)
  local removed = 0
  S.flush()
  for _, key in ipairs(op[4]) do
    if S.remove_one(key) then removed = removed + 1 end
  end
  S.flush()
  return removed
end

-- Ids of schedules with fates after the given one, deleted schedules included.
function S.tick_schedules(op)
  local from = op[4] and '(' .. op[4] or '-'
  return rcall('ZRANGEBYLEX', S.TICK_SCHEDULES, from, '+', 'LIMIT', 0, op[5])
end

function S.list_rates()
  return rcall('HGETALL', S.STARTS)
end

function S.get_mark()
  local mark = S.mark_now()
  return mark and mark[3] or false
end

-- Set or remove the mark: {type, until when, text}.
function S.set_mark(op)
  S.head.mark = op[4]
  S.hint('pauses')
  return true
end

S.ACTIONS.headRecord, S.ACTIONS.writeRecords, S.ACTIONS.removeRecords =
  S.head_record, S.write_records, S.remove_records
S.ACTIONS.tickSchedules, S.ACTIONS.listRates = S.tick_schedules, S.list_rates
S.ACTIONS.getMark, S.ACTIONS.setMark = S.get_mark, S.set_mark
