-- Ends of attempts: outcomes, expired leases, deadlines, cancels; and log lines.

S.LINES, S.LINE_TIMES, S.LINE_PLACES = S.P .. 'lines', S.P .. 'linetimes', S.P .. 'lineplaces'
S.LINES_OF, S.ENDED_ATTEMPTS = S.P .. 'linesof:', S.P .. 'departures:'

-- True if a claim is valid. A row that was imported while processing has no lease.
function S.is_held(r, fence)
  return r and r[STATE] == PROCESSING and r[FENCE] == fence and not (r[RARE] and r[RARE].lost)
end

-- Append log lines, numbered after those that the instance has. Lines with fence 0 belong to no
-- claim; older versions counted these apart, in `notes`.
function S.write_lines(id, r, fence, lines)
  if not lines or #lines == 0 then return end
  local list, members = {}, S.rare(r)
  local written = S.max(members.logs or 0, members.notes or 0)
  for i = 1, #lines do
    local line = lines[i]
    S.head.line = S.next_number(S.head.line)
    local place = S.head.line
    local member = S.to_bytes('>I8', place)
    list[2 * i - 1] = place
    list[2 * i] = S.encode({line[1], line[2], line[3], line[4], r[ATTEMPT], fence, written + i, id,
      r[KIND]})
    S.index(S.LINE_TIMES, member, line[1])
    S.index(S.LINE_PLACES, member, place)
    S.index(S.LINES_OF .. id, member, place)
  end
  S.write_pairs('HSET', S.LINES, list, #list)
  members.logs = written + #lines
  S.touch(id)
end

-- The stored error of a passed deadline. Readers put it into words.
S.PAST_DEADLINE = 'deadline'

-- When an attempt ended that is settled now: not before it began.
function S.end_of(r, ago)
  if not ago then return S.stamp end
  return S.min(S.stamp, S.max(S.stamp - ago, r[PROCESSED] or S.stamp))
end

-- End a row, unless it first takes back what its steps did.
function S.end_row(id, r, state, reason, err, at)
  if S.has_steps(r) then
    S.need_flows()
    if S.put_off_end(id, r, state, reason, err, at) then return end
    state, reason, err = S.ending_of(id, r, state, reason, err)
  end
  r[STATE], r[REASON], r[SETTLED] = state, reason, at
  S.set_rare(r, 'error', err)
  S.enter_final(id, r)
end

-- End a row that waits, or would wait, past its deadline.
function S.pass_deadline(id, r, err, at)
  if r[RARE] and r[RARE].cancelAt then
    S.end_row(id, r, CANCELED, 'canceled', err or false, at)
  else
    S.end_row(id, r, TIMED_OUT, 'deadline', err or S.PAST_DEADLINE, at)
  end
end

-- Schedule a row again. If no attempt can start before its deadline, end it now, so that nobody has
-- to wait. A row whose attempt never started waits as if it had not been claimed; if the claim was
-- to continue it, the next one is.
function S.schedule_again(id, r, due, reason, err, at, is_unstarted)
  local members = r[RARE]
  local waits = members and members.waits
  if is_unstarted and waits then
    members.resumes = members.resumes > 1 and members.resumes - 1 or nil
  elseif is_unstarted then
    r[ATTEMPT] = r[ATTEMPT] - 1
    if r[ATTEMPT] == 0 then
      r[PROCESSED] = false
      S.count_kept(r, -1)
      if members and members.slotKey then r[QUEUE], members.slotKey = members.slotKey, nil end
    end
  end
  local deadline = members and members.deadlineAt
  if deadline and due >= deadline then
    S.pass_deadline(id, r, err, at)
    return
  end
  if not is_unstarted then
    local attempt = {r[ATTEMPT], r[FENCE], r[NODE], r[PROCESSED] or at, at, reason}
    rcall('RPUSH', S.ENDED_ATTEMPTS .. id, S.encode(attempt))
    if waits then members.waits = nil end
  elseif waits then
    S.need_flows()
    due = S.due_of_waits(id, r, due)
  end
  r[STATE], r[REASON], r[DUE], r[SCHEDULED_AT], r[NODE] = SCHEDULED, reason, due, at, false
  S.set_rare(r, 'error', err)
  S.enter_waiting(id, r)
  S.hint_instances(due)
end

-- True if a row has failed or passed its deadline, and takes back what its steps did.
function S.has_ending(id, members)
  if not members or not members.stepsAt then return false end
  S.need_flows()
  return S.memo_of(S.step_key(id, 'ending'))
end

-- End an attempt: free its slots and lease, and write what becomes of the row.
function S.finish(id, r, item)
  local kind_of_end, members, at = item[OUT_TYPE], r[RARE], S.end_of(r, item[OUT_AGO])
  S.remove_by(S.kind_changes(r[KIND]).freed, id)
  S.change_slots(r, -1)
  if members then members.lost = nil end
  local is_final, is_unwinding = kind_of_end == 'final', S.is_unwinding(r)
  -- The failures of a run that takes back what steps did do not count.
  local is_last = is_unwinding or S.has_ending(id, members)
  if members and members.cancelAt and not is_unwinding and S.has_steps(r) and not r[REASON]
    and not (is_final and item[OUT_STATE] == COMPLETED) then
    S.unwind_canceled(id, r, at)
  elseif members and members.cancelAt and (is_final or not is_unwinding) then
    local reason = r[REASON] == 'replaced' and 'replaced' or 'canceled'
    S.end_row(id, r, CANCELED, reason, item[OUT_ERROR], at)
  elseif kind_of_end == 'final' then
    if item[OUT_IS_FAILURE] and not is_last then
      S.rare(r).failures = (members and members.failures or 0) + 1
    end
    r[RESULTS] = item[OUT_RESULTS]
    S.end_row(id, r, item[OUT_STATE], item[OUT_REASON], item[OUT_ERROR], at)
  elseif is_last and (kind_of_end == 'retry' or kind_of_end == 'crash') then
    local reason = kind_of_end == 'crash' and 'lost' or item[OUT_REASON]
    S.schedule_again(id, r, at + UNWIND_AGAIN_MS, reason, item[OUT_ERROR], at)
  elseif kind_of_end == 'retry' then
    S.rare(r).failures = (members and members.failures or 0) + 1
    S.schedule_again(id, r, item[OUT_DUE], item[OUT_REASON], item[OUT_ERROR], at)
  elseif kind_of_end == 'crash' then
    local crashes = (members and members.crashes or 0) + 1
    S.rare(r).crashes = crashes
    -- The limit is in the part of the row that never changes.
    if crashes > S.decode(S.fixed_text(id))[1] then
      S.end_row(id, r, TERMINATED, 'lost', item[OUT_ERROR], at)
    else
      S.schedule_again(id, r, item[OUT_DUE], 'lost', item[OUT_ERROR], at)
    end
  elseif kind_of_end == 'park' then
    S.need_flows()
    S.park(id, r, item[OUT_DUE], item[OUT_WAITS], at)
  else
    local reason = kind_of_end == 'snooze' and 'snoozed' or 'released'
    S.schedule_again(id, r, item[OUT_DUE], reason, members and members.error or false, at,
      kind_of_end == 'unstarted')
  end
  S.touch(id)
  S.note_freed(r[KIND])
end

function S.lose_attempt(id, r)
  local text = cjson.encode('The lease of node "' .. (r[NODE] or 'unknown')
    .. '" ended without a result')
  S.finish(id, r, {id, r[FENCE], true, false, false, false, false, 'crash', S.wall, 'lost',
    '{"name":"LeaseLost","message":' .. text .. '}'})
end

function S.answer_rows(ids)
  local answer = {}
  for i = 1, #ids do S.answer_row(answer, ids[i]) end
  return answer
end
