-- Waiting rows: due ones of a kind in claim order ("ready"), the others by their time ("later"). Of
-- a queue with a key only the first row is among the ready ones, which is called offered. The
-- others wait in a set of their own ("behind"). While a rate limit holds the queue, none is
-- offered.

S.HOLDS = S.P .. 'holds'
S.OFFERED = S.P .. 'offered'

-- Bytes that sort by the number, then by the seq; negative numbers come first.
function S.place_of(value, seq)
  if value < 0 then return S.to_bytes('>BI8I8', 0, value + MAX, seq) end
  return S.to_bytes('>BI8I8', 1, value, seq)
end

function S.member_of(id, r, value)
  local place = S.place_of(value, r[SEQ])
  if r[QUEUE] then return place .. id .. '\0' .. r[QUEUE] end
  return place .. id
end

-- Returns the number, seq, id and queue of a member.
function S.parse_member(member)
  local sign, value, seq = S.from_bytes('>BI8I8', member)
  if sign == 0 then value = value - MAX end
  local zero = S.find(member, '\0', 18, true)
  if zero then return value, seq, S.sub(member, 18, zero - 1), S.sub(member, zero + 1) end
  return value, seq, S.sub(member, 18), false
end

function S.entry_of(kind, member, score)
  local due, seq, id, queue = S.parse_member(member)
  return {kind = kind, queue = queue, id = id, priority = tonumber(score), due = due, seq = seq,
    member = member}
end

function S.comes_before(left, right)
  if left.priority ~= right.priority then return left.priority < right.priority end
  if left.due ~= right.due then return left.due < right.due end
  return left.seq < right.seq
end

function S.first_behind(kind, queue, skipped)
  local n = skipped or 0
  local found = rcall('ZRANGE', S.BEHIND .. kind .. '\0' .. queue, n, n, 'WITHSCORES')
  return found[1] and S.entry_of(kind, found[1], found[2]) or nil
end

function S.offered_of(name)
  local text = rcall('HGET', S.OFFERED, name)
  return text and S.decode(text) or nil
end

-- The functions below write at once: rows with a queue key are few, and which one is offered
-- depends on what is stored.
function S.put_behind(name, entry)
  rcall('ZADD', S.BEHIND .. name, entry.priority, entry.member)
  S.count(S.BEHIND_COUNTS, entry.kind, 1)
end

function S.offer(name, entry)
  rcall('ZADD', S.READY .. entry.kind, entry.priority, entry.member)
  rcall('HSET', S.OFFERED, name, S.encode(entry))
  S.new_ready[entry.kind] = true
  S.has_pending = true
end

function S.take_back_offer(name, entry)
  rcall('ZREM', S.READY .. entry.kind, entry.member)
  rcall('HDEL', S.OFFERED, name)
end

function S.take_from_behind(name, entry)
  rcall('ZREM', S.BEHIND .. name, entry.member)
  S.count(S.BEHIND_COUNTS, entry.kind, -1)
end

-- Offer the next row of a queue whose offered row is gone.
function S.refill(kind, queue)
  local name = kind .. '\0' .. queue
  local entry = S.first_behind(kind, queue)
  if not entry or rcall('HEXISTS', S.HOLDS, name) == 1 then return end
  S.take_from_behind(name, entry)
  S.offer(name, entry)
end

-- Offer the first row of a queue after its rows have changed.
function S.settle_queue(kind, queue)
  local name = kind .. '\0' .. queue
  local offered = S.offered_of(name)
  if not offered then return S.refill(kind, queue) end
  local entry = S.first_behind(kind, queue)
  if not entry or S.comes_before(offered, entry) then return end
  S.take_back_offer(name, offered)
  S.put_behind(name, offered)
  S.take_from_behind(name, entry)
  S.offer(name, entry)
end

function S.enter_ready(id, r)
  local kind, queue, member = r[KIND], r[QUEUE], S.member_of(id, r, r[DUE])
  S.new_ready[kind] = true
  if not queue then
    S.index(S.READY .. kind, member, r[PRIORITY])
    return
  end
  local name = kind .. '\0' .. queue
  local entry = {kind = kind, queue = queue, id = id, priority = r[PRIORITY], due = r[DUE],
    seq = r[SEQ], member = member}
  local offered = S.offered_of(name)
  if rcall('HEXISTS', S.HOLDS, name) == 1 or (offered and S.comes_before(offered, entry)) then
    S.put_behind(name, entry)
    return
  end
  if offered then
    S.take_back_offer(name, offered)
    S.put_behind(name, offered)
  end
  S.offer(name, entry)
end

function S.enter_later(id, r)
  local kind, due = r[KIND], r[DUE]
  S.index(S.LATER .. kind, S.member_of(id, r, r[PRIORITY]), due)
  if not S.new_later[kind] or due < S.new_later[kind] then S.new_later[kind] = due end
end

function S.enter_waiting(id, r)
  if r[DUE] <= S.wall then S.enter_ready(id, r) else S.enter_later(id, r) end
  local deadline = r[RARE] and r[RARE].deadlineAt
  if deadline then S.index(S.DEADLINES, id, deadline) end
end

-- Remove a scheduled row from wherever it waits.
function S.leave_waiting(id, r)
  local kind, queue, members = r[KIND], r[QUEUE], r[RARE]
  if members and members.deadlineAt then S.index(S.DEADLINES, id, false) end
  if members and members.held then
    members.held = nil
    S.count(S.HELD, members.scheduleId, -1)
    return
  end
  S.index(S.LATER .. kind, S.member_of(id, r, r[PRIORITY]), false)
  local member = S.member_of(id, r, r[DUE])
  if not queue then
    S.index(S.READY .. kind, member, false)
    return
  end
  local name = kind .. '\0' .. queue
  local offered = S.offered_of(name)
  if offered and offered.seq == r[SEQ] then
    S.take_back_offer(name, offered)
    S.refill(kind, queue)
  elseif rcall('ZREM', S.BEHIND .. name, member) == 1 then
    S.count(S.BEHIND_COUNTS, kind, -1)
  end
end

-- Number of waiting instances of a kind, without those that wait for their schedule.
function S.waiting_of(kind)
  S.flush()
  return rcall('ZCARD', S.READY .. kind) + rcall('ZCARD', S.LATER .. kind)
    + S.count_of(S.BEHIND_COUNTS, kind)
end
