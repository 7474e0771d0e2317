-- Deleting instances and logs, counting instances, reading logs.

function S.remove_lines(members, id_of)
  if #members == 0 then return end
  local places = {}
  for i = 1, #members do places[i] = S.from_bytes('>I8', members[i]) end
  S.write_pairs('ZREM', S.LINE_TIMES, members, #members)
  S.write_pairs('ZREM', S.LINE_PLACES, members, #members)
  if id_of then S.write_pairs('ZREM', S.LINES_OF .. id_of, members, #members) end
  -- write_pairs formats the numbers in full.
  S.write_pairs('HDEL', S.LINES, places, #places)
end

-- Forget a kind without instances.
function S.forget_kind(kind)
  local done = function(state) return S.DONE .. state .. ':' .. kind end
  local left = rcall('EXISTS', S.OPEN .. kind, done(COMPLETED), done(TERMINATED), done(CANCELED),
    done(TIMED_OUT))
  if left > 0 then return end
  rcall('SREM', S.KINDS, kind)
  rcall('SREM', S.READY_KINDS, kind)
  rcall('ZREM', S.LATER_KINDS, kind)
  -- The next claim with limits adds it again.
  rcall('SREM', S.LIMITED, kind)
  rcall('HDEL', S.STAMPS, kind)
end

-- Delete instances with their logs. Those with more log lines than one operation may delete stay
-- for the next.
function S.remove_rows(ids)
  local removed, line_count, kinds = {}, 0, {}
  S.load_rows(ids)
  for _, id in ipairs(ids) do
    local r = S.row(id)
    if r and r[STATE] > PROCESSING then
      if r[RARE] and (r[RARE].logs or r[RARE].notes or r[ATTEMPT] > 1) then
        local members = rcall('ZRANGE', S.settled(S.LINES_OF .. id), 0, LINES_MAX - line_count - 1)
        S.remove_lines(members, id)
        line_count = line_count + #members
        if line_count >= LINES_MAX then break end
      end
      if r[RARE] and r[RARE].stepsAt then
        S.need_flows()
        S.remove_steps(id, r)
      end
      if r[ATTEMPT] > 0 then rcall('DEL', S.ENDED_ATTEMPTS .. id) end
      S.index(S.DONE .. r[STATE] .. ':' .. r[KIND], id, false)
      S.index(S.EXPIRING, id, false)
      S.index_row(id, r, false)
      kinds[r[KIND]] = true
      S.rows[id], S.texts[id], S.dirty[id] = false, nil, nil
      removed[#removed + 1] = id
    elseif not r then
      S.index(S.EXPIRING, id, false)
    end
  end
  S.flush()
  S.write_pairs('HDEL', S.ROWS, removed, #removed)
  S.write_pairs('HDEL', S.FIXED, removed, #removed)
  for kind in pairs(kinds) do
    S.forget_kind(kind)
  end
  return removed
end

-- True if a row waits that was accepted to run at once, and was never tried.
function S.was_due_at_once(r)
  local members = r[RARE]
  return r[STATE] == SCHEDULED and r[ATTEMPT] == 0 and r[DUE] == r[CREATED]
    and not (members and members.scheduleId)
end

-- Correct the times of a row if a clock that was ahead wrote them. Same rules as correctInstance.
function S.correct_row(id, r)
  local wall, members = S.wall, r[RARE]
  if r[STATE] > PROCESSING then
    local back = r[SETTLED] - wall
    if back <= CORRECTION_MS then return false end
    if members and members.uniqueUntil then members.uniqueUntil = members.uniqueUntil - back end
    r[SETTLED] = wall
    S.index(S.EXPIRING, id, S.expire_at(r))
  elseif S.was_due_at_once(r) then
    if r[DUE] - wall <= AHEAD_MS_MIN then return false end
    S.leave_waiting(id, r)
    r[DUE] = wall
    S.enter_waiting(id, r)
    S.hint_instances(wall)
  else
    local since, due = r[SCHEDULED_AT], r[DUE]
    local waits = r[STATE] == SCHEDULED and r[ATTEMPT] > 0 and due > wall and due >= since
    if not waits or since - wall <= CORRECTION_MS then return false end
    S.leave_waiting(id, r)
    r[DUE], r[SCHEDULED_AT] = wall + due - since, wall
    S.enter_waiting(id, r)
    S.hint_instances(r[DUE])
  end
  if r[PROCESSED] and r[PROCESSED] > wall then r[PROCESSED] = wall end
  S.touch(id)
  return true
end

function S.correct_times(op)
  local corrected = {}
  for _, id in ipairs(op[4]) do
    local r = S.row(id)
    if r and S.correct_row(id, r) then corrected[#corrected + 1] = id end
  end
  return corrected
end

-- Data of an earlier version has no index of the ticks without a run: add a part of it, from the
-- latest back. The head has the time to continue at, true when it is whole.
function S.fill_gaps()
  local from = S.head.gaps or '+inf'
  local list = rcall('ZREVRANGEBYSCORE', S.TICK_TIMES, from, '-inf', 'WITHSCORES', 'LIMIT', 0, 1000)
  for i = 1, #list, 2 do
    local schedule, at = string.match(list[i], '^(.*)%z(.-)$')
    local text = rcall('ZRANGEBYSCORE', S.TICKS .. schedule, at, at)[1]
    if text and S.is_gap(S.decode(text)) then rcall('ZADD', S.GAPS, at, list[i]) end
  end
  if #list < 2000 then
    S.head.gaps = true
  else
    local last = tonumber(list[#list])
    S.head.gaps = last == from and last - 1 or last
  end
end

function S.retain(op)
  local limit = op[4]
  S.flush()
  if S.head.gaps ~= true then S.fill_gaps() end
  for kind, pause in pairs(S.pauses()) do
    if pause[1] and pause[1] <= S.wall then
      rcall('HDEL', S.PAUSES, kind)
      S.hint('pauses')
    end
  end
  S.pauses_read = nil
  for _, name in ipairs(rcall('ZRANGEBYSCORE', S.START_TIMES, '-inf', S.wall, 'LIMIT', 0, limit)) do
    rcall('HDEL', S.STARTS, name)
    rcall('ZREM', S.START_TIMES, name)
  end
  local to = '(' .. string.format('%.0f', S.wall - TICK_KEEP_MS)
  for _, name in ipairs(rcall('ZRANGEBYSCORE', S.TICK_TIMES, '-inf', to, 'LIMIT', 0, limit)) do
    local schedule, from = string.match(name, '^(.*)%z(.-)$')
    S.remove_tick(schedule, from)
  end
  return S.remove_rows(rcall('ZRANGEBYSCORE', S.EXPIRING, '-inf', S.wall, 'LIMIT', 0, limit))
end

function S.remove_instances(op)
  S.flush()
  return S.remove_rows(op[4])
end

-- Log lines after a place, by time or in the order of writing: place and text alternate in one
-- list.
function S.read_lines(op)
  local order, id, after_at, after_place, before_at, limit = unpack(op, 4, 9)
  local members
  local after = '(' .. string.format('%.0f', after_place)
  if id and order == 'back' then
    members = rcall('ZREVRANGEBYSCORE', S.LINES_OF .. id, after, '-inf', 'LIMIT', 0, limit)
  elseif id then
    members = rcall('ZRANGEBYSCORE', S.LINES_OF .. id, after, '+inf', 'LIMIT', 0, limit)
  elseif order == 'written' then
    members = rcall('ZRANGEBYSCORE', S.LINE_PLACES, after, '+inf', 'LIMIT', 0, limit)
  elseif order == 'newest' then
    members = rcall('ZREVRANGE', S.LINE_PLACES, 0, limit - 1)
  else
    local time = string.format('%.0f', after_at)
    local before = '(' .. string.format('%.0f', before_at)
    -- Lines of the same time are sorted by their places as bytes.
    local first = after_place > 0 and rcall('ZRANK', S.LINE_TIMES, S.to_bytes('>I8', after_place))
      or false
    if first then
      members = rcall('ZRANGE', S.LINE_TIMES, first + 1, first + limit)
      local last_score = #members > 0 and tonumber(rcall('ZSCORE', S.LINE_TIMES, members[#members]))
      while last_score and last_score >= before_at do
        members[#members] = nil
        last_score = #members > 0 and tonumber(rcall('ZSCORE', S.LINE_TIMES, members[#members]))
      end
    else
      members = rcall('ZRANGEBYSCORE', S.LINE_TIMES, time, before, 'LIMIT', 0, limit)
      if after_place > 0 then
        -- The last line of the page before was deleted: skip the lines of its time that came before
        -- it.
        local kept, offset = {}, 0
        while #kept < limit do
          local part = rcall('ZRANGEBYSCORE', S.LINE_TIMES, time, before, 'LIMIT', offset, limit)
          for _, member in ipairs(part) do
            local is_after = S.from_bytes('>I8', member) > after_place
              or tonumber(rcall('ZSCORE', S.LINE_TIMES, member)) > after_at
            if is_after and #kept < limit then kept[#kept + 1] = member end
          end
          if #part < limit then break end
          offset = offset + limit
        end
        members = kept
      end
    end
  end
  local answer = {}
  for i, member in ipairs(members) do
    local place = S.from_bytes('>I8', member)
    answer[2 * i - 1], answer[2 * i] = place, rcall('HGET', S.LINES, place)
  end
  return answer
end

-- Delete the log line at a place. Returns false if there is none.
function S.remove_place(place)
  local text = rcall('HGET', S.LINES, place)
  if not text then return false end
  S.remove_lines({S.to_bytes('>I8', place)}, S.decode(text)[8])
  return true
end

function S.remove_log_lines(op)
  local removed = 0
  for _, place in ipairs(op[4]) do
    if S.remove_place(place) then removed = removed + 1 end
  end
  return removed
end

function S.stats()
  local answer = {}
  for _, kind in ipairs(rcall('SMEMBERS', S.KINDS)) do
    local processing = S.count_of(S.SLOTS, 'k' .. kind)
    answer[#answer + 1] = {kind, rcall('ZCARD', S.OPEN .. kind) - processing, processing,
      rcall('ZCARD', S.DONE .. COMPLETED .. ':' .. kind),
      rcall('ZCARD', S.DONE .. TERMINATED .. ':' .. kind),
      rcall('ZCARD', S.DONE .. CANCELED .. ':' .. kind),
      rcall('ZCARD', S.DONE .. TIMED_OUT .. ':' .. kind)}
  end
  return {answer, rcall('ZCARD', S.SCHEDULE_IDS)}
end

S.ACTIONS.correctTimes = S.correct_times
S.ACTIONS.retain, S.ACTIONS.removeInstances, S.ACTIONS.stats = S.retain, S.remove_instances, S.stats
S.ACTIONS.readLines, S.ACTIONS.removeLines = S.read_lines, S.remove_log_lines
