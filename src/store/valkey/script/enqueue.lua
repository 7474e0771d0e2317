-- Accepting batches: checks ids, unique keys and limits of all items, also against each other,
-- before any is written.

function S.is_same(item, id, r, fixed)
  if item[IN_KIND] ~= r[KIND] then return false end
  local _, given = S.decode(item[IN_FIXED])
  local _, there = S.decode(fixed or S.fixed_text(id))
  return given == there
end

-- Decide between an item and the instance that has its unique key. Returns nil and a refusal, or
-- whether the holder is the result or is replaced.
function S.resolve(item, id, r, fixed)
  local rule = item[IN_EXTRA].onConflict or 'refuse'
  if rule == 'refuse' or item[IN_KIND] ~= r[KIND] then
    if S.is_same(item, id, r, fixed) then return 'answer' end
    return nil, {'taken', 'uniqueKey', item[IN_EXTRA].members.uniqueKey, item[IN_KIND], id, r[KIND]}
  end
  if rule == 'keep' or r[STATE] > PROCESSING then return 'answer' end
  if r[STATE] ~= PROCESSING then return 'replace' end
  return nil, {'runs', id, item[IN_KIND]}
end

-- The id of the instance of an item's kind that has its unique key in the form of earlier versions.
function S.former_holder(item)
  local key = item[IN_EXTRA].formerKey
  local id = key and S.key_holder(key)
  return id and S.row(id)[KIND] == item[IN_KIND] and id or nil
end

function S.ids_of(items)
  local ids = {}
  for i = 1, #items do ids[i] = items[i][IN_ID] end
  return ids
end

-- Decide on one item, given the stored rows and the items before it. Returns a refusal or nil.
function S.plan_item(plan, item, i)
  local id, extra = item[IN_ID], item[IN_EXTRA]
  local there = plan.by_id[id]
  local r = S.row(id)
  if there or r then
    local same = there and item[IN_KIND] == there[IN_KIND]
      and S.is_same(item, id, {[KIND] = there[IN_KIND]}, there[IN_FIXED])
      or (not there and S.is_same(item, id, r))
    if not same then
      return {'taken', 'id', id, item[IN_KIND], id, there and there[IN_KIND] or r[KIND]}
    end
    plan.results[i] = {SAME_ID, id}
    return nil
  end
  local key, replaced = extra and extra.members.uniqueKey, false
  local holder = key and (plan.by_key[key] or S.key_holder(key) or S.former_holder(item))
  if holder then
    local planned = plan.by_id[holder]
    local holder_row = planned and {[KIND] = planned[IN_KIND], [STATE] = SCHEDULED} or S.row(holder)
    local what, refusal = S.resolve(item, holder, holder_row, planned and planned[IN_FIXED])
    if refusal then return refusal end
    if what == 'answer' then
      plan.results[i] = {SAME_KEY, holder}
      return nil
    end
    replaced = holder
  elseif extra and extra.waitingMax then
    local kind, planned = item[IN_KIND], 0
    for p = 1, #plan.list do
      if plan.list[p][IN_KIND] == kind and not plan.replaced[p] then planned = planned + 1 end
    end
    if extra.waitingMax - S.waiting_of(kind) <= planned then
      return {'full', kind, extra.waitingMax}
    end
  end
  plan.by_id[id] = item
  if key then plan.by_key[key] = id end
  local p = #plan.list + 1
  plan.list[p], plan.places[p] = item, i
  if replaced then plan.replaced[p] = replaced end
  plan.results[i] = 0
  return nil
end

function S.enqueue(op)
  local items = op[4]
  -- Accepted items, their places in the batch, and the ids that some of them replace.
  local plan = {list = {}, places = {}, replaced = {}, results = {}, by_id = {}, by_key = {}}
  S.load_rows(S.ids_of(items))
  for i = 1, #items do
    local refusal = S.plan_item(plan, items[i], i)
    if refusal then return nil, refusal end
  end
  local results, place = plan.results, {}
  for p = 1, #plan.list do
    local item, i, replaced = plan.list[p], plan.places[p], plan.replaced[p]
    if replaced then
      S.cancel_row(replaced, S.row(replaced), 'replaced')
      results[i] = {ACCEPTED, item[IN_ID], replaced}
      local before = place[replaced]
      if before then
        results[before] = {ACCEPTED, replaced,
          type(results[before]) == 'table' and results[before][3]}
      end
    end
    if not S.insert_plain(item) then
      local extra = item[IN_EXTRA]
      local waits = extra and extra.members and extra.members.waits
      local r = S.insert(item, false)
      if waits and not r[RARE].waits then results[i] = {ACCEPTED, item[IN_ID]} end
      place[item[IN_ID]] = i
    end
  end
  for i = 1, #results do
    local result = results[i]
    if result ~= 0 then
      local answer = {result[1]}
      S.answer_row(answer, result[2])
      if result[3] then S.answer_row(answer, result[3]) end
      results[i] = answer
    end
  end
  return results
end

function S.redrive(op)
  local items, is_forced, steps, seen = op[4], op[5], op[6], {}
  for i = 1, #items do
    local id = items[i][IN_ID]
    if seen[id] or S.row(id) then return nil, {'idTaken', id} end
    seen[id] = true
  end
  local results = {}
  for i = 1, #items do
    local item = items[i]
    local past_id = item[IN_EXTRA].members.retryOf
    local past = S.row(past_id)
    local outcome, new_id = 'accepted', false
    if not past then
      outcome = 'gone'
    elseif past[STATE] <= PROCESSING then
      outcome = 'unfinished'
    elseif past[RARE] and past[RARE].redrivenAs and not is_forced then
      outcome = 'repeated'
      new_id = S.row(past[RARE].redrivenAs) and past[RARE].redrivenAs
    else
      S.insert(item, false)
      new_id = item[IN_ID]
      if steps then
        S.need_flows()
        S.copy_steps(past_id, new_id, steps)
      end
      if past[STATE] == TERMINATED or past[STATE] == TIMED_OUT then
        S.rare(past).redrivenAs = new_id
        S.touch(past_id)
      end
    end
    local answer = {outcome, past and true, new_id and true}
    if past then S.answer_row(answer, past_id) end
    if new_id then S.answer_row(answer, new_id) end
    results[i] = answer
  end
  return results
end

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

S.ACTIONS.enqueue, S.ACTIONS.redrive, S.ACTIONS.enqueueRuns =
  S.enqueue, S.redrive, S.enqueue_runs
