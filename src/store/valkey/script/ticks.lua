-- Schedules and their ticks. Black-outs and the splitting of ranges need a calendar, so the caller
-- works them out from the record and fates it has read. It sends the record's version; if that has
-- changed since, the operation is refused as outdated and the caller works it out again.

function S.remove_tick(schedule, from)
  local name = schedule .. '\0' .. string.format('%.0f', from)
  rcall('ZREMRANGEBYSCORE', S.TICKS .. schedule, from, from)
  rcall('ZREM', S.TICK_TIMES, name)
  rcall('ZREM', S.GAPS, name)
  if rcall('EXISTS', S.TICKS .. schedule) == 0 then rcall('ZREM', S.TICK_SCHEDULES, schedule) end
end

-- True if a fate says that its ticks have no run.
function S.is_gap(fate) return fate[4] ~= 'fired' and fate[4] ~= 'expected' end

-- A fate is {from, to, count, fate, reason, instance id, at}.
function S.add_tick(schedule, fate)
  S.remove_tick(schedule, fate[1])
  rcall('ZADD', S.TICKS .. schedule, fate[1], S.encode(fate))
  rcall('ZADD', S.TICK_SCHEDULES, 0, schedule)
  local name = schedule .. '\0' .. string.format('%.0f', fate[1])
  rcall('ZADD', S.TICK_TIMES, fate[7], name)
  if S.is_gap(fate) then rcall('ZADD', S.GAPS, fate[1], name) end
end

function S.fate_of(schedule, tick)
  local found = rcall('ZREVRANGEBYSCORE', S.TICKS .. schedule, tick, '-inf', 'LIMIT', 0, 1)[1]
  local fate = found and S.decode(found)
  return fate and fate[2] >= tick and fate or nil
end

function S.is_busy(schedule)
  return rcall('EXISTS', S.settled(S.OPEN_OF_SCHEDULE .. schedule)) == 1
end

-- Accept the instance of a tick. Unless overlap is allowed, it is held while an earlier one of the
-- schedule is unfinished.
function S.insert_tick(schedule, item, overlap)
  S.insert(item, overlap ~= 'allow' and S.is_busy(schedule))
end

-- Why a tick is skipped; nil if it becomes an instance. The reasons and their order are those of
-- skipReason in src/core/time/tick_decision.ts. They are repeated here because they depend on what
-- other nodes may change until the script runs: runs so far, skips, pauses, unfinished instances. A
-- decision made before the call could be out of date. The conformance suite compares both.
function S.skip_reason(record, fire, request, holder)
  local tick, is_blacked_out = fire[2], fire[3]
  local schedule, overlap = request[1], request[8]
  if record.runsMax and (record.runs or 0) >= record.runsMax then return 'runs_max' end
  if (record.skipUntil and tick < record.skipUntil) or (record.skipNext or 0) > 0 then
    return 'skip requested'
  end
  if is_blacked_out then return 'blackout' end
  if S.paused_until(fire[1][IN_KIND]) then return 'paused' end
  if S.is_busy(schedule) and not request[9] then
    if overlap == 'skip' then return 'overlap' end
    if overlap == 'queue' and S.count_of(S.HELD, schedule) >= record.queueMax then
      return 'overlap'
    end
  end
  local item = fire[1]
  local extra = item[IN_EXTRA]
  if S.row(item[IN_ID]) then return 'id taken' end
  if holder then
    local there = S.row(holder)
    local can_replace = extra.onConflict == 'replace' and there[KIND] == item[IN_KIND]
      and there[STATE] == SCHEDULED
    if not can_replace then return 'unique key taken' end
  end
  if extra.waitingMax and S.waiting_of(item[IN_KIND]) >= extra.waitingMax then
    return 'queue full'
  end
  return nil
end

-- True if the fate of a tick was decided by a clock that was ahead.
function S.is_void(record, fate, tick)
  return fate[4] ~= 'fired' and record.voidAfter and tick > record.voidAfter
    and tick <= record.voidUntil
end

-- Decide one tick. A fire is {item, tick, is blacked out, position of the tick in the range that
-- contains it}.
function S.fire_one(record, fire, request, result)
  local schedule, item, tick, overlap = request[1], fire[1], fire[2], request[8]
  -- A decided tick stays decided wherever the cursor is, unless a clock that was ahead decided it.
  local decided = S.fate_of(schedule, tick)
  if decided and not S.is_void(record, decided, tick) then return end
  if decided then S.cut_out(schedule, decided, fire[4], result.counted) end
  local key = item[IN_EXTRA].members.uniqueKey
  local holder = key and S.key_holder(key)
  local reason = S.skip_reason(record, fire, request, holder)
  if reason then
    S.add_tick(schedule, {tick, tick, 1, 'skipped', reason, false, S.wall})
    table.insert(result.skipped, tick)
    if reason == 'skip requested' and (record.skipNext or 0) > 0 then
      record.skipNext = record.skipNext - 1
    end
    return
  end
  -- Its job runs elsewhere, and the run will be reported.
  if request[12] then
    S.add_tick(schedule, {tick, tick, 1, 'expected', false, false, S.wall})
    record.runs = (record.runs or 0) + 1
    return
  end
  if holder then
    S.cancel_row(holder, S.row(holder), 'replaced')
    table.insert(result.replaced, holder)
    table.insert(result.replacedTexts, S.row_text(holder))
  end
  if overlap == 'replace' then
    for _, id in ipairs(rcall('ZRANGE', S.settled(S.OPEN_OF_SCHEDULE .. schedule), 0, 999)) do
      local r = S.row(id)
      if not (r[RARE] and r[RARE].cancelAt) then
        S.cancel_row(id, r, 'replaced')
        table.insert(result.replaced, id)
        table.insert(result.replacedTexts, S.row_text(id))
      end
    end
  end
  S.insert_tick(schedule, item, overlap)
  S.add_tick(schedule, {tick, tick, 1, 'fired', false, item[IN_ID], S.wall})
  table.insert(result.accepted, item[IN_ID])
  table.insert(result.acceptedTexts, S.row_text(item[IN_ID]))
  record.runs, record.lastRunAt = (record.runs or 0) + 1, tick
end

-- Rows as they were when they were accepted or replaced, with their fixed parts.
function S.step_rows(ids, row_texts)
  local answer = {}
  for i = 1, #ids do
    answer[3 * i - 2], answer[3 * i - 1], answer[3 * i] = ids[i], row_texts[i], S.fixed_text(ids[i])
  end
  return answer
end

-- Add missed ticks to the memo of their job, if they are news: {id, detail, notice id} of each
-- range.
function S.note_missed(kind, missed)
  if not S.is_news(kind, TIMED_OUT) then return end
  S.need_memos()
  S.tell_missed(kind, missed)
end

-- A step is {schedule, generation, expected cursor, cursor, nextAt, fates, fires, overlap,
-- isCatchUp, tzVersion, version, isExpected, kind, missed ranges as news or false}.
function S.advance_one(request)
  local schedule = request[1]
  local record = S.schedule_of(schedule)
  if not record then return {'gone'} end
  if record.generation ~= request[2] or record.cursor ~= request[3] then return {'conflict'} end
  for _, part in ipairs(request[6]) do
    part[7] = S.wall
    S.add_tick(schedule, part)
  end
  if request[14] then S.note_missed(request[13], request[14]) end
  local result = {accepted = {}, acceptedTexts = {}, skipped = {}, replaced = {},
    replacedTexts = {}, counted = {}}
  for _, fire in ipairs(request[7]) do S.fire_one(record, fire, request, result) end
  record.cursor, record.nextAt = request[4], request[5]
  if record.runsMax and (record.runs or 0) >= record.runsMax then record.nextAt = false end
  record.tzVersion = request[10] or record.tzVersion
  record.version = S.next_number(record.version)
  S.save_schedule(schedule, record)
  S.hint('schedules')
  return {'advanced', S.step_rows(result.accepted, result.acceptedTexts), result.skipped,
    S.step_rows(result.replaced, result.replacedTexts)}
end

-- True if a schedule has changed since its request was computed.
function S.is_outdated(requests)
  for _, request in ipairs(requests) do
    local record = S.schedule_of(request[1])
    if record and record.version ~= request[11] then return true end
  end
  return false
end

function S.advance(op)
  local requests, answer = op[4], {}
  if S.is_outdated(requests) then return nil, {'outdated'} end
  for i, request in ipairs(requests) do answer[i] = S.advance_one(request) end
  return answer
end

-- Remove one tick from a range of ticks with one fate; the ticks on both sides keep it. The
-- position of the tick is {tick before, tick after, number of ticks before it in the range} when
-- the range was read. `counted` has how many ticks were cut off since.
function S.cut_out(schedule, fate, place, counted)
  S.remove_tick(schedule, fate[1])
  if not place then return end
  local cut_off = counted[fate[1]] or 0
  local before, after, count_before = place[1], place[2], place[3] - cut_off
  local count_after = fate[3] - count_before - 1
  if before and count_before > 0 then
    S.add_tick(schedule, {fate[1], before, count_before, fate[4], fate[5], fate[6], fate[7]})
  end
  if after and after <= fate[2] and count_after > 0 then
    S.add_tick(schedule, {after, fate[2], count_after, fate[4], fate[5], fate[6], fate[7]})
    counted[after] = place[3] + 1
  end
end

-- Accept instances of past ticks. A fire is {item, tick, position of the tick in its range}.
function S.backfill(op)
  local schedule, fires, overlap, version = op[4], op[5], op[6], op[7]
  local record = S.schedule_of(schedule)
  if not record then return nil, {'noSchedule', schedule} end
  if record.version ~= version then return nil, {'outdated'} end
  local accepted, accepted_texts, counted = {}, {}, {}
  for _, fire in ipairs(fires) do
    local item, tick = fire[1], fire[2]
    local fate = S.fate_of(schedule, tick)
    local key = item[IN_EXTRA].members.uniqueKey
    local is_there = (fate and fate[4] == 'fired') or S.row(item[IN_ID])
    if not is_there and not (key and S.key_holder(key)) then
      if fate then S.cut_out(schedule, fate, fire[3], counted) end
      S.insert_tick(schedule, item, overlap)
      S.add_tick(schedule, {tick, tick, 1, 'fired', 'backfill', item[IN_ID], S.wall})
      accepted[#accepted + 1] = item[IN_ID]
      accepted_texts[#accepted_texts + 1] = S.row_text(item[IN_ID])
    end
  end
  if #accepted > 0 then
    record.version = S.next_number(record.version)
    S.save_schedule(schedule, record)
  end
  return S.step_rows(accepted, accepted_texts)
end

-- Runs that happen elsewhere, as reported. They are never claimed. Indexes and counts treat them
-- like claimed rows whose lease never expires.

-- A run is {item, host, started or false, lines or false, end or false, schedule or false, tick}.
-- Returns a refusal or nil.
function S.check_runs(runs)
  local begun, seen, ids = {}, {}, {}
  for i = 1, #runs do ids[i] = runs[i][1][IN_ID] end
  S.load_rows(ids)
  for i = 1, #runs do
    local id, kind = ids[i], runs[i][1][IN_KIND]
    local r = S.row(id)
    if r then
      if r[KIND] ~= kind or not S.is_elsewhere(r) then return {'notARun', id} end
    elseif not seen[id] then
      seen[id] = true
      begun[kind] = (begun[kind] or 0) + 1
    end
  end
  for kind, count in pairs(begun) do
    if S.count_of(S.SLOTS, 'k' .. kind) + count > OPEN_RUNS_MAX then return {'openRuns', kind} end
  end
  return nil
end

-- Record which run a tick became, unless it is known.
function S.note_run(schedule, tick, id)
  local record = S.schedule_of(schedule)
  if not record then return end
  local decided = S.fate_of(schedule, tick)
  if decided and (decided[3] > 1 or decided[4] == 'fired') then return end
  S.add_tick(schedule, {tick, tick, 1, 'fired', false, id, S.wall})
  if record.lastRunAt and tick <= record.lastRunAt then return end
  record.lastRunAt = tick
  S.save_schedule(schedule, record)
end

function S.begin_run(run)
  local item = run[1]
  local id, r = item[IN_ID], S.new_row(item)
  r[STATE], r[ATTEMPT], r[NODE], r[PROCESSED] = PROCESSING, 1, run[2], run[3]
  S.rows[id], S.fixed_texts[id] = r, item[IN_FIXED]
  S.touch(id)
  S.new_kinds[r[KIND]] = true
  local changes = S.kind_changes(r[KIND])
  S.add_to(changes.opened, id, r[SEQ])
  S.add_to(changes.leased, id, MAX)
  S.change_slots(r, 1)
  S.index_row(id, r, r[SEQ])
  local members = r[RARE]
  if members and members.scheduleId then
    S.index(S.OPEN_OF_SCHEDULE .. members.scheduleId, id, r[SEQ])
  end
  if run[6] then S.note_run(run[6], run[7], id) end
  return r
end

-- An end is {when, state, reason, error, is a failure, results}.
function S.end_run(id, r, ending)
  local stamp = S.stamp
  -- It ended when its host says.
  S.stamp = ending[1]
  S.finish(id, r, {id, 0, false, false, false, false, false, 'final', ending[2], ending[3],
    ending[4], ending[6], ending[5]})
  S.stamp = stamp
end

function S.record_run(run)
  local id, lines, ending = run[1][IN_ID], run[4], run[5]
  local r = S.row(id)
  if r and (not ending or r[STATE] ~= PROCESSING) then return 'repeated' end
  if not r then r = S.begin_run(run) end
  S.write_lines(id, r, 0, lines)
  if not ending then return 'begun' end
  S.end_run(id, r, ending)
  return 'ended'
end

function S.record_runs(op)
  local runs, missed = op[4], op[5]
  local refusal = S.check_runs(runs)
  if refusal then return nil, refusal end
  local results, marked = {}, {}
  for i = 1, #runs do
    local answer = {S.record_run(runs[i])}
    S.answer_row(answer, runs[i][1][IN_ID])
    results[i] = answer
  end
  for i = 1, #missed do
    local schedule, tick, news = unpack(missed[i])
    local fate = S.fate_of(schedule, tick)
    if fate and fate[4] == 'expected' then
      fate[4], fate[5], fate[7] = 'missed', 'unreported', S.wall
      S.add_tick(schedule, fate)
      marked[#marked + 1] = i
      local record = S.schedule_of(schedule)
      -- The kind is only in the text of a schedule.
      if record then S.note_missed(cjson.decode(record.text).kind, {news}) end
    end
  end
  return {results, marked}
end

S.ACTIONS.advance, S.ACTIONS.backfill = S.advance, S.backfill
S.ACTIONS.recordRuns = S.record_runs
