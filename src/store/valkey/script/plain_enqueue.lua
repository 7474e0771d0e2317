-- Batches of plain instances that are due, in runs: instances that share kind, priority and times,
-- which are sent once.

-- The instances of runs as separate items.
function S.items_of(runs)
  local items = {}
  for i = 1, #runs do
    local kind, priority, due, keep_success, keep_failure, ids, fixed = unpack(runs[i])
    for k = 1, #ids do
      items[#items + 1] = {ids[k], kind, false, priority, due, keep_success, keep_failure,
        type(fixed) == 'table' and fixed[k] or fixed, false}
    end
  end
  return items
end

-- True if all are new and due, and each seq takes nine bytes.
function S.can_insert_runs(runs)
  if S.next_number(S.head.seq) < S.WIDE_MIN then return false end
  for i = 1, #runs do
    if (runs[i][3] or 0) > S.wall then return false end
    local found = rcall('HMGET', S.ROWS, unpack(runs[i][6]))
    for k = 1, #found do
      if found[k] then return false end
    end
  end
  return true
end

-- Insert a run: {kind, priority, due, keep of success and of failure, ids, the fixed part of all or
-- a list of each}.
function S.insert_run(run)
  local kind, priority, due, keep_success, keep_failure, ids, fixed = unpack(run)
  due = due or S.wall
  local to_bytes, first, length = S.to_bytes, S.next_seq(), 0
  local start = S.NEW_PLAIN .. S.WIDE
  local tail = S.encode(kind, false, keep_success, keep_failure, priority, due, S.at, S.at)
  local place, score = S.sub(S.place_of(due, first), 1, 9), S.number_text(priority)
  local puts, scores, ready = {}, {}, {}
  for i = 1, #ids do
    local id, seq = ids[i], i == 1 and first or S.next_seq()
    local bytes = to_bytes('>I8', seq)
    puts[length + 1], puts[length + 2] = id, start .. bytes .. tail
    scores[length + 1], scores[length + 2] = seq, id
    ready[length + 1], ready[length + 2] = score, place .. bytes .. id
    length = length + 2
  end
  rcall('HSET', S.ROWS, unpack(puts))
  rcall('ZADD', S.OPEN .. kind, unpack(scores))
  for i = 1, #ids do
    puts[2 * i], scores[2 * i - 1] = type(fixed) == 'table' and fixed[i] or fixed, '0'
  end
  rcall('HSET', S.FIXED, unpack(puts))
  rcall('ZADD', S.IDS, unpack(scores))
  -- Written last: a claim must find only complete rows.
  rcall('ZADD', S.READY .. kind, unpack(ready))
  S.new_kinds[kind], S.new_ready[kind], S.has_pending = true, true, true
  S.hint_instances(due)
end

-- Accept runs; no id is in them twice. Returns true if all are new, otherwise the result of each.
function S.enqueue_runs(op)
  local runs = op[4]
  S.flush_all()
  if not S.can_insert_runs(runs) then return S.enqueue({op[1], op[2], op[3], S.items_of(runs)}) end
  for i = 1, #runs do S.insert_run(runs[i]) end
  return true
end

S.ACTIONS.enqueueRuns = S.enqueue_runs
