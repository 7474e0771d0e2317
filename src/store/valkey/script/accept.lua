-- Accepting, finishing and canceling rows, with all indexes that find them.

function S.expire_at(r)
  local keep = r[STATE] == COMPLETED and r[KEEP_SUCCESS] or r[KEEP_FAILURE]
  local from = r[SETTLED] + keep
  -- A row that keeps a unique key is kept at least as long as the key.
  local until_at = r[RARE] and r[RARE].uniqueUntil
  return S.min(S.max(from, until_at or from), MAX)
end

-- Schedules with an instance that became final in this operation.
S.ended = {}

function S.leave_open(id, kind, state, seq, expire_at)
  local changes = S.kind_changes(kind)
  local done = changes[state]
  if not done then
    done = S.list_of(S.added, S.DONE .. state .. ':' .. kind)
    changes[state] = done
  end
  S.remove_by(changes.closed, id)
  S.add_to(done, id, seq)
  S.add_to(changes.expiring, id, expire_at)
end

S.WATCHES, S.watches = S.P .. 'watches', {}

-- True if the end of an instance is news. Usually the head is enough to tell; otherwise the watch
-- of the kind is read, once.
function S.is_news(kind, state)
  local head = S.head
  if (head.watchers or 0) == 0 or state == CANCELED or kind == NEWS_KIND then return false end
  if (head.watches or 0) == 0 then return state ~= COMPLETED end
  local watch = S.watches[kind]
  if not watch then
    watch = rcall('HGET', S.WATCHES, kind) or 'failures'
    S.watches[kind] = watch
  end
  return watch == 'ends' or (watch == 'failures' and state ~= COMPLETED)
end

-- Define the family of memos in a call that turns out to need it.
function S.need_memos()
  if not S.add_news then FAMILIES.memos() end
end

-- Define the family of flows in a call that turns out to need it.
function S.need_flows()
  S.need_memos()
  if not S.write_steps then FAMILIES.flows() end
end

-- Children that became final in this operation and whose parents get their outcomes: id and row;
-- ids of parents that became final. False for none.
S.ended_children, S.ended_parents = false, false

function S.enter_final(id, r)
  local members = r[RARE]
  if S.is_news(r[KIND], r[STATE]) then
    S.need_memos()
    S.tell_end(id, r)
  end
  S.leave_open(id, r[KIND], r[STATE], r[SEQ], S.expire_at(r))
  if not members then return end
  members.waits = nil
  if members.slotKey then
    S.count_kept(r, -1)
    S.note_freed(r[KIND])
  end
  if members.scheduleId then
    S.index(S.OPEN_OF_SCHEDULE .. members.scheduleId, id, false)
    S.ended[members.scheduleId] = true
  end
  if members.parentStep then
    local list = S.ended_children or {}
    list[#list + 1], list[#list + 2] = id, r
    S.ended_children = list
  end
  if members.flowId and members.stepsAt then
    local list = S.ended_parents or {}
    list[#list + 1] = id
    S.ended_parents = list
  end
end

-- Release the oldest queued instance of each schedule whose instance became final.
function S.release_held()
  for schedule in pairs(S.ended) do
    if S.count_of(S.HELD, schedule) > 0 then
      local id = rcall('ZRANGE', S.settled(S.OPEN_OF_SCHEDULE .. schedule), 0, 0)[1]
      local r = id and S.row(id)
      if r and r[STATE] == SCHEDULED and r[RARE].held then
        r[RARE].held = nil
        S.count(S.HELD, schedule, -1)
        r[REASON] = false
        S.touch(id)
        S.enter_later(id, r)
        S.hint_instances(r[DUE])
      end
    end
  end
  S.ended = {}
end

function S.next_seq()
  local head = S.head
  local seq = S.next_number(head.seq)
  head.seq = seq
  head.lead = S.max(head.lead, seq - S.min(S.at * 1024, TIME_MAX))
  return seq
end

function S.new_row(item)
  local extra = item[IN_EXTRA]
  local members = extra and extra.members
  if extra and extra.forMs then members.uniqueUntil = S.min(S.stamp + extra.forMs, MAX) end
  return {SCHEDULED, 0, members, false, false, false, 0, false, false, S.next_seq(), item[IN_KIND],
    item[IN_QUEUE], item[IN_SUCCESS], item[IN_FAILURE], item[IN_PRIORITY], item[IN_DUE] or S.wall, S.at,
    S.at}
end

-- Add a row to the indexes that do not depend on its state; without a score, remove it.
function S.index_row(id, r, score)
  local members = r[RARE]
  S.index(S.IDS, id, score and 0)
  if not members then return end
  if members.uniqueKey then S.index(S.UNIQUE .. members.uniqueKey, id, score) end
  if members.scheduleId then S.index(S.OF_SCHEDULE .. members.scheduleId, id, score) end
  if members.retryOf then S.index(S.RETRIES .. members.retryOf, id, score) end
  if members.parentId then S.index(S.CHILDREN .. members.parentId, id, score) end
  if members.flowId then S.index(S.FLOWS .. members.flowId, id, score) end
end

-- The first instance of a flow belongs to it from its first child on.
function S.begin_flow(id)
  local r = S.row(id)
  if not r or S.rare(r).flowId then return end
  r[RARE].flowId = id
  S.touch(id)
  S.index(S.FLOWS .. id, id, r[SEQ])
end

-- A new child that is to wait for its turn begins at once if nobody would give it one.
function S.take_turn(r)
  local parent = S.row(r[RARE].parentId or '')
  if parent and parent[STATE] <= PROCESSING then return end
  S.need_flows()
  S.begin_turn(r)
end

-- Insert a checked row. A held one waits for earlier instances of its schedule.
function S.insert(item, is_held)
  local id, r = item[IN_ID], S.new_row(item)
  S.rows[id], S.fixed_texts[id] = r, item[IN_FIXED]
  S.touch(id)
  S.new_kinds[r[KIND]] = true
  S.add_to(S.kind_changes(r[KIND]).opened, id, r[SEQ])
  S.index_row(id, r, r[SEQ])
  local members = r[RARE]
  if members and members.waits then S.take_turn(r) end
  if members and members.flowId then S.begin_flow(members.flowId) end
  if members and members.scheduleId then
    S.index(S.OPEN_OF_SCHEDULE .. members.scheduleId, id, r[SEQ])
  end
  if is_held then
    members.held = true
    r[REASON] = 'queued'
    S.count(S.HELD, members.scheduleId, 1)
    if members.deadlineAt then S.index(S.DEADLINES, id, members.deadlineAt) end
    return r
  end
  S.enter_waiting(id, r)
  S.hint_instances(r[DUE])
  return r
end

-- The id of the instance that has a unique key: an unfinished one, or a final one that keeps it for
-- a time. Nil if the key is free.
function S.key_holder(key)
  local id = rcall('ZREVRANGE', S.settled(S.UNIQUE .. key), 0, 0)[1]
  local r = id and S.row(id)
  if not r then return nil end
  if r[STATE] <= PROCESSING then return id end
  local until_at = r[RARE].uniqueUntil
  if until_at and until_at > S.wall and r[STATE] ~= CANCELED then return id end
  return nil
end

-- True if an instance runs or ran elsewhere: no node ever claimed it.
function S.is_elsewhere(r) return r[FENCE] == 0 and r[ATTEMPT] > 0 end

-- True if a row recorded steps: signals alone leave nothing to take back.
function S.has_steps(r) return r[RARE] and (r[RARE].stepsAt or 0) > 0 end

-- True if a cancel lets a row run once more: it has steps, and this is the first cancel.
function S.has_to_unwind(r)
  local members = r[RARE]
  return S.has_steps(r) and r[ATTEMPT] > 0 and not members.cancelAt
end

-- Make a row due once more before it ends.
function S.unwind(id, r, reason, at, due)
  local members = S.rare(r)
  -- The run continues the attempt, unless that has ended.
  if members.waits or r[STATE] == PROCESSING then members.waits = '[]' end
  r[STATE], r[REASON], r[DUE], r[SCHEDULED_AT], r[NODE] = SCHEDULED, reason, due, at, false
  S.enter_waiting(id, r)
  S.hint_instances(due)
end

-- Make a row due once more after its cancel, for a limited time. Its claim is later than its cancel.
-- Its own deadline may come sooner, and ends nothing any more.
function S.unwind_canceled(id, r, at, due)
  local members = S.rare(r)
  members.cancelAt = members.cancelAt or at
  members.deadlineAt = members.cancelAt + CANCEL_GRACE_MS
  S.unwind(id, r, 'canceling', at, due or at + 1)
end

-- True if a claimed row runs once more after its cancel.
function S.is_unwinding(r)
  local members = r[RARE]
  return S.has_steps(r) and members.cancelAt and (r[PROCESSED] or 0) > members.cancelAt
end

-- Cancel a row: a waiting one becomes Canceled, a processing one gets the request. One that runs
-- elsewhere becomes Canceled at once. One with steps is due once more, to take back what they did.
function S.cancel_row(id, r, reason)
  if r[STATE] == PROCESSING and not S.is_elsewhere(r) then
    r[REASON] = reason == 'replaced' and reason
    S.hint_claims[#S.hint_claims + 1] = {id, r[FENCE]}
    S.rare(r).cancelAt = S.stamp
  elseif reason == 'canceled' and S.has_to_unwind(r) then
    S.leave_waiting(id, r)
    S.unwind_canceled(id, r, S.stamp)
  else
    if r[STATE] == PROCESSING then
      S.remove_by(S.kind_changes(r[KIND]).freed, id)
      S.change_slots(r, -1)
    else
      S.leave_waiting(id, r)
    end
    S.rare(r).cancelAt = S.stamp
    r[STATE], r[REASON], r[SETTLED] = CANCELED, reason, S.stamp
    S.enter_final(id, r)
  end
  S.touch(id)
end

function S.answer_row(answer, id)
  local n = #answer
  answer[n + 1], answer[n + 2], answer[n + 3] = id, S.row_text(id), S.fixed_text(id)
end

function S.schedule_of(id)
  local text = rcall('HGET', S.SCHEDULE_ROWS, id)
  return text and S.decode(text) or nil
end

function S.save_schedule(id, record)
  rcall('HSET', S.SCHEDULE_ROWS, id, S.encode(record))
  if record.nextAt then
    rcall('ZADD', S.SCHEDULE_TIMES, record.nextAt, id)
  else
    rcall('ZREM', S.SCHEDULE_TIMES, id)
  end
end
