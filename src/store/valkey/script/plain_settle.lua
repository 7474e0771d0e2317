-- Successful ends of plain attempts without log lines, many at once. Each row is compared with the
-- one before, and indexes are written while rows are read.

-- The part of a row that it shares with others of the same claim; nil if the row is not plain or
-- not of this claim.
function S.shape_of(text, fence, kind)
  if not text or S.sub(text, 1, 9) ~= S.RUNS_PLAIN then return nil end
  local seq_from, its_fence, node = S.unpack_some(text, 3, 9)
  local tail_from, seq = S.unpack_some(text, 1, seq_from)
  local tail_to, its_kind, queue, keep_success, keep_failure = S.unpack_some(text, 4, tail_from)
  if its_fence ~= fence or its_kind ~= kind then return nil end
  local head = S.sub(text, 1, seq_from + 1)
  -- A head that no row has makes each row be checked by itself.
  if S.sub(head, -1) ~= S.WIDE then head = '\0' end
  return {head = head, seq = seq, seq_at = seq_from + 2,
    tail = S.sub(text, tail_from + 1, tail_to), tail_at = tail_from + 1, node = node, queue = queue,
    keep_success = keep_success, keep_failure = keep_failure, count = 0}
end

-- Free the slots of the last rows of one shape. Returns how the next ones are kept.
function S.begin_shape(last, shape, kind, state)
  if last and last.count > 0 then S.change_slots_of(kind, last.queue, last.node, -last.count) end
  if not shape then return nil end
  local keep = state == COMPLETED and shape.keep_success or shape.keep_failure
  return S.number_text(S.min(S.stamp + keep, MAX))
end

-- Settle a run: {fence, kind, state, reason, ids, results of each or false}. Rows that are not
-- plain are appended to `left`.
function S.settle_run(run, left)
  local fence, kind, state, reason, ids, results = unpack(run)
  local find, sub, from_bytes = S.find, S.sub, S.from_bytes
  local start = sub(S.RUNS_PLAIN, 1, 3) .. S.encode(state, 1, false, S.stamp, reason)
  local start_of, start_with = false, start .. S.encode(false)
  local found, puts, done, expiring = rcall('HMGET', S.ROWS, unpack(ids)), {}, {}, {}
  local shape, head, tail, tail_at, seq_at, expires_at = nil, '\0', '', 1, 1, nil
  local i, n, length = 1, #ids, 0
  while i <= n do
    local id, text, seq = ids[i], found[i], nil
    if text and find(text, head, 1, true) == 1 and find(text, tail, tail_at, true) == tail_at then
      seq = from_bytes('>I8', text, seq_at)
    else
      local last = shape
      shape = S.shape_of(text, fence, kind)
      expires_at = S.begin_shape(last, shape, kind, state)
      head = '\0'
      if shape then
        seq, head, tail = shape.seq, shape.head, shape.tail
        tail_at, seq_at = shape.tail_at, shape.seq_at
      end
    end
    if seq then
      local result = results and results[i]
      if result ~= start_of then start_of, start_with = result, start .. S.encode(result) end
      puts[length + 1], puts[length + 2] = id, start_with .. sub(text, 10)
      done[length + 1], done[length + 2] = seq, id
      expiring[length + 1], expiring[length + 2] = expires_at, id
      length = length + 2
      shape.count = shape.count + 1
      i = i + 1
    else
      left[#left + 1] = {id, fence, true, false, false, false, 'final', state, reason, false,
        results and results[i], false}
      -- The last id takes its place.
      ids[i], found[i] = ids[n], found[n]
      if results then results[i] = results[n] end
      n = n - 1
    end
  end
  if length == 0 then return end
  S.begin_shape(shape, nil, kind, state)
  rcall('HSET', S.ROWS, unpack(puts))
  rcall('ZREM', S.LEASES, unpack(ids, 1, n))
  rcall('ZREM', S.OPEN .. kind, unpack(ids, 1, n))
  rcall('ZADD', S.DONE .. state .. ':' .. kind, unpack(done))
  rcall('ZADD', S.EXPIRING, unpack(expiring))
  S.note_freed(kind)
end

-- Settle runs; no id is in them twice. Returns the items that are not plain.
function S.settle_runs(runs)
  local left = {}
  if #runs > 0 then S.flush_all() end
  for i = 1, #runs do S.settle_run(runs[i], left) end
  return left
end
