-- What a node may claim: its limits compared with the slots in use, the starts within a span, and
-- the queues that a rate holds.

S.HOLD_TIMES, S.HOLD_TIMES_OF = S.P .. 'holdtimes', S.P .. 'holdtimes:'
S.LAST_WALL = S.P .. 'lastwall'

-- Windows by queue: a list of {span, starts, expireAt}. Starts are pairs of a time and a number,
-- oldest first.
S.windows_read, S.windows_dirty = {}, {}

function S.windows_of(name)
  local found = S.windows_read[name]
  if not found then
    local text = rcall('HGET', S.STARTS, name)
    found = text and S.decode(text) or {}
    S.windows_read[name] = found
  end
  return found
end

-- The window of a span, without starts that no longer count. A span that was not counted before
-- begins as a copy of the longest one.
function S.window_of(name, span)
  local windows, longest, window = S.windows_of(name), nil, nil
  for i = 1, #windows do
    if windows[i][1] == span then window = windows[i] end
    if not longest or windows[i][1] > longest[1] then longest = windows[i] end
  end
  if not window then
    local copied = {}
    for i = 1, longest and #longest[2] or 0 do copied[i] = longest[2][i] end
    window = {span, copied, 0}
    windows[#windows + 1] = window
  end
  local kept = {}
  for i = 1, #window[2], 2 do
    -- After the clock was set back, starts in the future count as now, so that they block for at
    -- most one span.
    local start = window[2][i]
    if start > S.wall then
      start = S.wall
      window[3] = S.min(window[3], S.wall + span)
      S.windows_dirty[name] = true
    end
    if start + span > S.wall then kept[#kept + 1], kept[#kept + 2] = start, window[2][i + 1] end
  end
  window[2] = kept
  return window
end

function S.used_of(window)
  local used = 0
  for i = 2, #window[2], 2 do used = used + window[2][i] end
  return used
end

-- When the window has room for a start; `wall` if it has room now.
function S.opens_at(window, most)
  local excess = S.used_of(window) - most + 1
  if excess <= 0 then return S.wall end
  for i = 1, #window[2], 2 do
    excess = excess - window[2][i + 1]
    if excess <= 0 then return window[2][i] + window[1] end
  end
  return S.INFINITY
end

function S.add_start(name, most, span)
  local window = S.window_of(name, span)
  local starts, width = window[2], most <= TIMES_MAX and 1 or math.ceil(span / TIMES_MAX)
  local last = starts[#starts - 1]
  if last and S.floor(last / width) == S.floor(S.wall / width) then
    starts[#starts - 1], starts[#starts] = S.wall, starts[#starts] + 1
  else
    starts[#starts + 1], starts[#starts + 2] = S.wall, 1
  end
  window[3] = S.wall + span
  S.windows_dirty[name] = true
end

function S.save_starts()
  for name in pairs(S.windows_dirty) do
    local windows, last = {}, 0
    for _, window in ipairs(S.windows_of(name)) do
      if window[3] > 0 then
        windows[#windows + 1] = window
        last = S.max(last, window[3])
      end
    end
    rcall('HSET', S.STARTS, name, S.encode(windows))
    rcall('ZADD', S.START_TIMES, last, name)
  end
  S.windows_dirty = {}
end

-- The limits of the asking node for a kind: slots and rates of the kind and of its queues.
function S.kind_limits(gate, kind) return gate.limits and gate.limits.kinds[kind] end

function S.is_limited(gate, kind)
  if not gate.limits then return false end
  if gate.limits.kinds[kind] then return true end
  for _, pool in ipairs(gate.limits.pools) do
    for _, one in ipairs(pool[2]) do
      if one == kind then return true end
    end
  end
  return false
end

function S.stamp_of(gate, kind)
  local limits = S.kind_limits(gate, kind)
  return limits and limits.stamp or ''
end

function S.block_by_slots(name, limits, total_field, node_field, kept)
  for _, limit in ipairs(limits) do
    local used = S.count_of(S.SLOTS, limit[2] and node_field or total_field) + (kept or 0)
    if used >= limit[1] then return {'concurrency', name, used, limit[1], false} end
  end
  return nil
end

function S.block_by_rates(name, limits, window_name)
  local block = nil
  for _, limit in ipairs(limits) do
    local window = S.window_of(window_name, limit[2])
    local opens = S.opens_at(window, limit[1])
    if opens > S.wall and not (block and opens <= block[5]) then
      block = {'rate', name, S.used_of(window), limit[1], opens}
    end
  end
  return block
end

function S.block_of_kind(gate, kind)
  if not gate.limits then return nil end
  for _, pool in ipairs(gate.limits.pools) do
    local used, is_in = 0, false
    for _, one in ipairs(pool[2]) do
      if one == kind then is_in = true end
    end
    if is_in then
      for _, one in ipairs(pool[2]) do
        used = used + S.count_of(S.SLOTS, S.node_slots(one, gate.node))
      end
      if used >= pool[3] then return {'pool', pool[1], used, pool[3], false} end
    end
  end
  local limits = S.kind_limits(gate, kind)
  if not limits then return nil end
  return S.block_by_slots(kind, limits.slots, 'k' .. kind, S.node_slots(kind, gate.node))
    or S.block_by_rates(kind, limits.rates, kind .. '\0')
end

function S.block_of_queue(gate, kind, queue)
  local limits = queue and S.kind_limits(gate, kind)
  if not limits then return nil end
  local total, of_node = S.queue_slots(kind, queue), S.queue_node_slots(kind, queue, gate.node)
  local kept = limits.keepsSlots and S.count_of(S.SLOTS, S.kept_slots(kind, queue))
  return S.block_by_slots(queue, limits.queueSlots, total, of_node, kept or 0)
    or S.block_by_rates(queue, limits.queueRates, kind .. '\0' .. queue)
end

function S.count_start(gate, kind, queue)
  local limits = S.kind_limits(gate, kind)
  if not limits then return end
  local counted = {}
  for _, limit in ipairs(limits.rates) do
    if not counted[limit[2]] then S.add_start(kind .. '\0', limit[1], limit[2]) end
    counted[limit[2]] = true
  end
  if not queue then return end
  counted = {}
  for _, limit in ipairs(limits.queueRates) do
    if not counted[limit[2]] then S.add_start(kind .. '\0' .. queue, limit[1], limit[2]) end
    counted[limit[2]] = true
  end
end

-- Holds: queues of which nothing is offered until a rate has room.
function S.write_hold(kind, name, until_at, stamp)
  rcall('HSET', S.HOLDS, name, S.encode({until_at, stamp, kind}))
  rcall('ZADD', S.HOLD_TIMES, until_at, name)
  rcall('ZADD', S.HOLD_TIMES_OF .. kind, until_at, name)
end

function S.hold_queue(kind, queue, until_at, stamp)
  local name = kind .. '\0' .. queue
  local offered = S.offered_of(name)
  if offered then
    S.take_back_offer(name, offered)
    S.put_behind(name, offered)
  end
  S.write_hold(kind, name, until_at, stamp)
  rcall('HSET', S.STAMPS, kind, stamp)
  rcall('SET', S.LAST_WALL, S.wall)
end

-- End the holds of a kind that were set under other limits than `stamp`; all without `stamp`.
function S.end_holds(kind, stamp)
  for _, name in ipairs(rcall('ZRANGEBYSCORE',
    kind and S.HOLD_TIMES_OF .. kind or S.HOLD_TIMES, '(0', '+inf')) do
    local hold = S.decode(rcall('HGET', S.HOLDS, name))
    if hold[2] ~= stamp then S.write_hold(hold[3], name, 0, hold[2]) end
  end
end

-- True if the clock was set back: a hold must not become longer than its span.
function S.is_set_back()
  local last = tonumber(rcall('GET', S.LAST_WALL) or 0)
  return S.wall < last - SET_BACK_MS, last
end

-- Release queues whose hold has expired or was set under different limits.
function S.open_queues(gate, kinds)
  if rcall('EXISTS', S.HOLD_TIMES) == 0 then return end
  for _, kind in ipairs(kinds) do
    local stamp = S.stamp_of(gate, kind)
    if rcall('EXISTS', S.HOLD_TIMES_OF .. kind) == 1 and rcall('HGET', S.STAMPS, kind) ~= stamp then
      rcall('HSET', S.STAMPS, kind, stamp)
      S.end_holds(kind, stamp)
    end
  end
  local set_back, last = S.is_set_back()
  if set_back then S.end_holds(nil, nil) end
  rcall('SET', S.LAST_WALL, set_back and S.wall or S.max(last, S.wall))
  for _, name in ipairs(rcall('ZRANGEBYSCORE',
    S.HOLD_TIMES, '-inf', S.wall, 'LIMIT', 0, OPEN_MAX)) do
    local kind = S.decode(rcall('HGET', S.HOLDS, name))[3]
    rcall('HDEL', S.HOLDS, name)
    rcall('ZREM', S.HOLD_TIMES, name)
    rcall('ZREM', S.HOLD_TIMES_OF .. kind, name)
    S.refill(kind, S.sub(name, #kind + 2))
  end
  S.flush()
end

-- When a claim under limits with this stamp would release a held queue of a kind.
function S.holds_open_at(kind, stamp)
  local first = rcall('ZRANGE', S.HOLD_TIMES_OF .. kind, 0, 0, 'WITHSCORES')
  if not first[1] then return S.INFINITY end
  if rcall('HGET', S.STAMPS, kind) ~= stamp or S.is_set_back() then return S.wall end
  return tonumber(first[2])
end
