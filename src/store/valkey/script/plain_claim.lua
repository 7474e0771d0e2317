-- Claims of one kind without limits. Most rows are plain, and what they share is returned once.

-- Remove the first ready ids. Also returns those that were offered for a queue.
function S.pop_first(kind, limit)
  local ready, find, sub = S.READY .. kind, S.find, S.sub
  local ids, queued = rcall('ZRANGE', ready, 0, limit - 1), {}
  if #ids == 0 then return ids, queued end
  rcall('ZREMRANGEBYRANK', ready, 0, #ids - 1)
  for i = 1, #ids do
    -- The id comes after the number and the seq, which take 17 bytes.
    local member = ids[i]
    local zero = find(member, '\0', 18, true)
    local id = sub(member, 18, zero and zero - 1)
    ids[i] = id
    if zero then
      rcall('HDEL', S.OFFERED, kind .. '\0' .. sub(member, zero + 1))
      queued[id] = true
    end
  end
  return ids, queued
end

-- Take the first ready rows; every queue has at most one among them. Returns the beginning of plain
-- rows, then for each row its id, the whole row or the part of a plain one after the seq, and the
-- fixed part. The last two are false if they equal those of the plain row before.
function S.take_first(kind, limit, claimer)
  S.flush_all()
  local ids, queued = S.pop_first(kind, limit)
  if #ids == 0 then return {} end
  local find, sub, new_wide = S.find, S.sub, S.NEW_PLAIN .. S.WIDE
  local lease = S.number_text(S.mono + claimer.lease)
  local start = S.RUNS_PLAIN .. S.encode(S.next_number(0), claimer.node, S.at)
  local rows, fixed = rcall('HMGET', S.ROWS, unpack(ids)), rcall('HMGET', S.FIXED, unpack(ids))
  local puts, leased, length = {}, {}, 0
  local answer, place, last_tail, last_fixed = {start}, 1, false, false
  for i = 1, #ids do
    local id, text, fixed_text = ids[i], rows[i], fixed[i]
    if text and fixed_text and S.stamp == S.at and not queued[id]
      and find(text, new_wide, 1, true) == 1 then
      puts[length + 1], puts[length + 2] = id, start .. sub(text, 13)
      leased[length + 1], leased[length + 2] = lease, id
      length = length + 2
      local tail = sub(text, 22)
      answer[place + 1], answer[place + 2], answer[place + 3] =
        id, tail ~= last_tail and tail, fixed_text ~= last_fixed and fixed_text
      place, last_tail, last_fixed = place + 3, tail, fixed_text
    else
      S.texts[id] = text
      if S.can_take(id) then
        S.take(id, claimer)
        answer[place + 1], answer[place + 2], answer[place + 3] = id, S.row_text(id), fixed_text
        place = place + 3
      end
    end
  end
  if length > 0 then
    rcall('HSET', S.ROWS, unpack(puts))
    rcall('ZADD', S.LEASES, unpack(leased))
    S.change_slots_of(kind, false, claimer.node, length / 2)
  end
  return answer
end
