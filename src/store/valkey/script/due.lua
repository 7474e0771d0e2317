-- When the next work is due, and what blocks it.

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
    if S.sub(field, 1, 1) == 'q' then
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
