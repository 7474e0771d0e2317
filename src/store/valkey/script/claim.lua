-- Claiming: takes due instances in claim order, within pauses and limits. Says when the next can be
-- claimed, and what blocks it.

-- Make rows ready whose time has come.
function S.promote()
  S.flush()
  local left = PROMOTE_MAX
  local kinds = rcall('ZRANGEBYSCORE', S.LATER_KINDS, '-inf', S.wall)
  for k = 1, #kinds do
    local kind = kinds[k]
    if left <= 0 then break end
    local due = rcall('ZRANGEBYSCORE', S.LATER .. kind, '-inf', S.wall, 'WITHSCORES', 'LIMIT', 0,
      left)
    local queues = {}
    for i = 1, #due, 2 do
      local priority, seq, _, queue = S.parse_member(due[i])
      local due_at = tonumber(due[i + 1])
      local member = S.place_of(due_at, seq) .. S.sub(due[i], 18)
      if queue then
        local name = kind .. '\0' .. queue
        S.put_behind(name, {kind = kind, priority = priority, member = member})
        queues[queue] = true
      else
        S.index(S.READY .. kind, member, priority)
      end
    end
    local taken = #due / 2
    left = left - taken
    if taken > 0 then
      rcall('ZREMRANGEBYRANK', S.LATER .. kind, 0, taken - 1)
      S.new_ready[kind] = true
      S.has_pending = true
    end
    local first = rcall('ZRANGE', S.LATER .. kind, 0, 0, 'WITHSCORES')
    if first[1] then
      rcall('ZADD', S.LATER_KINDS, first[2], kind)
    else
      rcall('ZREM', S.LATER_KINDS, kind)
    end
    for queue in pairs(queues) do S.settle_queue(kind, queue) end
  end
  S.flush()
end

-- Drop an entry without a waiting row. Only others who wrote to these keys can have left it.
function S.can_take(id)
  local r = S.row(id)
  return r and r[STATE] == SCHEDULED
end

function S.take(id, claimer)
  local r = S.row(id)
  local limits = r[QUEUE] and S.kind_limits(claimer, r[KIND])
  if limits and limits.keepsSlots then S.keep_slot(r) end
  local members = r[RARE]
  r[STATE], r[REASON], r[PROCESSED] = PROCESSING, false, S.max(S.stamp, S.min(r[DUE], S.at))
  if members and members.waits then
    members.resumes = (members.resumes or 0) + 1
  else
    r[ATTEMPT] = r[ATTEMPT] + 1
  end
  r[FENCE] = S.next_number(r[FENCE])
  r[NODE] = claimer.node
  if members then
    members.progress, members.usage = nil, nil
    if members.deadlineAt then S.index(S.DEADLINES, id, false) end
  end
  S.touch(id)
  S.add_to(S.kind_changes(r[KIND]).leased, id, S.mono + claimer.lease)
  S.change_slots(r, 1)
  return id
end

-- Reads the ready rows of one kind in claim order: those without a queue key, and the first of each
-- queue that is not blocked. Taken rows are removed from the sets at the end, so that positions
-- stay valid.
function S.new_run(gate, kind)
  return {gate = gate, kind = kind, entries = {}, next = 1, size = READ_MIN, read = 0,
    is_whole = false, followers = {}, is_known = false, best = nil, touched = {}, followed = {},
    blocked = {}, opens_at = S.INFINITY}
end

function S.run_first(run)
  if run.next > #run.entries and not run.is_whole then
    local list = rcall('ZRANGE', S.READY .. run.kind, run.read, run.read + run.size - 1,
      'WITHSCORES')
    run.entries, run.next = {}, 1
    for i = 1, #list, 2 do
      run.entries[#run.entries + 1] = S.entry_of(run.kind, list[i], list[i + 1])
    end
    run.read = run.read + #run.entries
    run.is_whole = #run.entries < run.size
    run.size = S.min(run.size * 2, READ_MAX)
  end
  local entry, follower = run.entries[run.next], run.followers[1]
  if not follower then return entry end
  return entry and S.comes_before(entry, follower) and entry or follower
end

function S.run_drop(run, entry)
  if run.followers[1] == entry then table.remove(run.followers, 1) else run.next = run.next + 1 end
end

-- The next row that may be claimed.
function S.run_peek(run)
  if S.block_of_kind(run.gate, run.kind) then return nil end
  -- Only claims of this run change which queues are blocked, and they reset `is_known`.
  if run.is_known then return run.best end
  while true do
    local entry = S.run_first(run)
    local block = entry and S.block_of_queue(run.gate, run.kind, entry.queue)
    if not block then
      run.is_known, run.best = true, entry
      return entry
    end
    S.run_drop(run, entry)
    if block[5] then
      run.opens_at = S.min(run.opens_at, block[5])
      run.blocked[#run.blocked + 1] = {entry.queue, block[5]}
    end
  end
end

-- Take the row that run_peek returned.
function S.run_taken(run)
  local entry = run.best
  local is_follower = run.followers[1] == entry
  run.is_known, run.best = false, nil
  S.run_drop(run, entry)
  if not entry.queue then
    S.index(S.READY .. run.kind, entry.member, false)
    return
  end
  local name = run.kind .. '\0' .. entry.queue
  if is_follower then
    S.index(S.BEHIND .. name, entry.member, false)
    S.count(S.BEHIND_COUNTS, run.kind, -1)
  else
    S.index(S.READY .. run.kind, entry.member, false)
    rcall('HDEL', S.OFFERED, name)
  end
  run.touched[entry.queue] = true
  local followed = run.followed[entry.queue] or 0
  run.followed[entry.queue] = followed + 1
  local follower = S.first_behind(run.kind, entry.queue, followed)
  if not follower then return end
  local place = #run.followers + 1
  for i = 1, #run.followers do
    if S.comes_before(follower, run.followers[i]) then
      place = i
      break
    end
  end
  table.insert(run.followers, place, follower)
end

-- Leave each queue with its first row offered, or held until its rate has room.
function S.run_end(run)
  local stamp = S.stamp_of(run.gate, run.kind)
  for _, one in ipairs(run.blocked) do
    run.touched[one[1]] = nil
    S.hold_queue(run.kind, one[1], one[2], stamp)
  end
  for queue in pairs(run.touched) do S.settle_queue(run.kind, queue) end
end

function S.take_across(kinds, limit, claimer)
  local runs, ids = {}, {}
  for i = 1, #kinds do runs[i] = S.new_run(claimer, kinds[i]) end
  while #ids < limit do
    local best, best_entry = nil, nil
    for i = 1, #runs do
      local entry = S.run_peek(runs[i])
      if entry and not (best_entry and S.comes_before(best_entry, entry)) then
        best, best_entry = runs[i], entry
      end
    end
    if not best then break end
    if S.can_take(best_entry.id) then
      ids[#ids + 1] = S.take(best_entry.id, claimer)
      local members = S.row(best_entry.id)[RARE]
      -- With waits it continues its attempt.
      if not (members and members.waits) then
        S.count_start(claimer, best.kind, best_entry.queue)
      end
    end
    S.run_taken(best)
  end
  S.flush()
  for i = 1, #runs do S.run_end(runs[i]) end
  S.save_starts()
  return ids
end

-- Requested kinds that have ready rows and are not paused.
function S.claimable_kinds(wanted)
  local found = {}
  for _, kind in ipairs(rcall('SMEMBERS', S.READY_KINDS)) do
    if wanted[kind] then
      if rcall('EXISTS', S.READY .. kind) == 1 then
        if not S.paused_until(kind) then found[#found + 1] = kind end
      elseif S.count_of(S.BEHIND_COUNTS, kind) == 0 then
        rcall('SREM', S.READY_KINDS, kind)
      end
    end
  end
  return found
end

-- Remember the kinds with limits: nodes are woken when slots of these are freed.
function S.note_limits(limits)
  if not limits then return end
  local names = {}
  for kind in pairs(limits.kinds) do names[#names + 1] = kind end
  for _, pool in ipairs(limits.pools) do
    for _, kind in ipairs(pool[2]) do names[#names + 1] = kind end
  end
  if #names == 0 then return end
  S.write_pairs('SADD', S.LIMITED, names, #names)
  S.limited_kinds = nil
end

function S.claim(op)
  local claimer = {node = op[4], limits = op[6], lease = op[8]}
  local kinds, limit = op[5], op[7]
  if S.head.mark and S.mark_now() then return {} end
  S.flush()
  local first_later = rcall('ZRANGE', S.LATER_KINDS, 0, 0, 'WITHSCORES')
  if first_later[1] and tonumber(first_later[2]) <= S.wall then S.promote() end
  -- Nothing is claimed while an instance waits past its deadline: reap must end it first.
  local first_deadline = rcall('ZRANGE', S.DEADLINES, 0, 0, 'WITHSCORES')
  if first_deadline[1] and tonumber(first_deadline[2]) <= S.wall then
    S.hint('deadlines')
    return {}
  end
  S.note_limits(claimer.limits)
  S.open_queues(claimer, kinds)
  local found = S.claimable_kinds(S.set_of(kinds))
  if #found == 0 then return {} end
  if #found == 1 and not S.is_limited(claimer, found[1])
    and S.count_of(S.BEHIND_COUNTS, found[1]) == 0 then
    return S.take_first(found[1], limit, claimer)
  end
  local ids = S.take_across(found, limit, claimer)
  if #ids == 0 then return {} end
  -- These rows are returned whole, without a shared beginning.
  local fixed, answer = rcall('HMGET', S.FIXED, unpack(ids)), {false}
  for i = 1, #ids do
    answer[3 * i - 1], answer[3 * i], answer[3 * i + 1] = ids[i], S.row_text(ids[i]), fixed[i]
  end
  return answer
end

function S.renew(op)
  local claims, lease, answer = op[4], op[5], {}
  for i = 1, #claims do
    local id, r = claims[i][1], S.row(claims[i][1])
    if not S.is_held(r, claims[i][2]) then
      answer[i] = 0
    else
      S.add(S.LEASES, id, S.mono + lease)
      answer[i] = r[RARE] and r[RARE].cancelAt and 2 or 1
    end
  end
  return answer
end

-- When a ready row of a kind can be claimed; infinity if a slot must be freed first.
function S.claimable_at(gate, kind)
  local block = S.block_of_kind(gate, kind)
  if block then return block[5] or S.INFINITY end
  local run = S.new_run(gate, kind)
  if S.run_peek(run) then return S.wall end
  return S.min(run.opens_at, S.holds_open_at(kind, S.stamp_of(gate, kind)))
end

function S.next_due(op)
  local gate, wanted, next_at = {node = op[4], limits = op[6]}, S.set_of(op[5]), S.INFINITY
  local mark = S.head.mark and S.mark_now()
  if mark and mark[1] == 'draining' then return {S.wall, mark[2], mark[2]} end
  for _, kind in ipairs(rcall('SMEMBERS', S.READY_KINDS)) do
    local behind = S.count_of(S.BEHIND_COUNTS, kind)
    local first = wanted[kind] and rcall('ZRANGE', S.READY .. kind, 0, 0) or {}
    if wanted[kind] and (first[1] or behind > 0) then
      local paused = S.paused_until(kind)
      if paused then
        next_at = S.min(next_at, paused)
      elseif behind > 0 or S.is_limited(gate, kind) then
        next_at = S.min(next_at, S.claimable_at(gate, kind))
      else
        next_at = S.min(next_at, S.wall, (S.parse_member(first[1])))
      end
    end
  end
  for _, kind in ipairs(rcall('ZRANGE', S.LATER_KINDS, 0, -1)) do
    if wanted[kind] then
      local first = rcall('ZRANGE', S.LATER .. kind, 0, 0, 'WITHSCORES')
      if first[1] then
        next_at = S.min(next_at, S.max(S.paused_until(kind) or -S.INFINITY, tonumber(first[2])))
      end
    end
  end
  local schedule = rcall('ZRANGE', S.SCHEDULE_TIMES, 0, 0, 'WITHSCORES')
  return {S.wall, next_at < S.INFINITY and next_at, schedule[1] and tonumber(schedule[2]) or false}
end

function S.block_of(op)
  local gate, r = {node = op[4], limits = op[6]}, S.row(op[7])
  if not r or r[STATE] ~= SCHEDULED or r[DUE] > S.wall or not S.is_limited(gate, r[KIND]) then
    return false
  end
  return S.block_of_kind(gate, r[KIND]) or S.block_of_queue(gate, r[KIND], r[QUEUE]) or false
end

-- Limits that block waiting instances. Of queues with a key, those with claims.
function S.list_blocks(op)
  local gate, blocks, seen = {node = op[4], limits = op[6]}, {}, {}
  local queues = {}
  for _, field in ipairs(rcall('HKEYS', S.SLOTS)) do
    local first = S.sub(field, 1, 1)
    if first == 'q' or first == 'h' then
      local zero = S.find(field, '\0', 2, true)
      local kind = S.sub(field, 2, zero - 1)
      queues[kind] = queues[kind] or {}
      table.insert(queues[kind], S.sub(field, zero + 1))
    end
  end
  for _, kind in ipairs(rcall('SMEMBERS', S.READY_KINDS)) do
    local has_ready = rcall('EXISTS', S.READY .. kind) == 1 or S.count_of(S.BEHIND_COUNTS, kind) > 0
    if has_ready and S.is_limited(gate, kind) then
      local block = S.block_of_kind(gate, kind)
      if block and not seen[block[1] .. '\0' .. block[2]] then
        seen[block[1] .. '\0' .. block[2]] = true
        blocks[#blocks + 1] = block
      end
      for _, queue in ipairs(queues[kind] or {}) do
        if #blocks >= BLOCKS_MAX then return blocks end
        local name = kind .. '\0' .. queue
        local found = S.block_of_queue(gate, kind, queue)
        if found and (S.offered_of(name) or S.first_behind(kind, queue)) then
          blocks[#blocks + 1] = found
        end
      end
    end
  end
  return blocks
end

S.ACTIONS.nextDue, S.ACTIONS.blockOf, S.ACTIONS.blocks = S.next_due, S.block_of, S.list_blocks
S.ACTIONS.claim, S.ACTIONS.renew = S.claim, S.renew
