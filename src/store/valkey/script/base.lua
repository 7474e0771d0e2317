-- The beginning of every call: reads the request, returns the stored answer of a repeated call,
-- reads the head, and defines how rows and indexes are changed. Changes are collected and written
-- once at the end of the call, or before something reads them from the server.
--
-- docs/stores.md lists the keys. A row is a list; `ROW` in constants.ts names its places. A member
-- of a waiting set is a number and the seq in 17 bytes, then the id, then, after a NUL, the queue's
-- key if there is one.
--
-- All functions and values are members of one table, S: as locals, each function would have to look
-- up those that it uses when it is made, which is in every call. Names in capitals without S stand
-- for numbers; script.ts replaces them.

local rcall = redis.call
S.encode, S.decode = cmsgpack.pack, cmsgpack.unpack
S.to_bytes, S.from_bytes = struct.pack, struct.unpack
S.floor, S.max, S.min = math.floor, math.max, math.min
S.sub, S.find = string.sub, string.find

S.P = KEYS[1]
S.request = S.decode(ARGV[1])
-- The id of the data that the node joined, its connection, the number of the call there, whether it
-- only reads, the numbers of large answers that have arrived, and the operations with their
-- families.
S.wanted_id, S.connection, S.number, S.is_read, S.received, S.families, S.operations =
  unpack(S.request)

-- Answers of the last calls of a connection are kept: a call that is sent again gets the same
-- answer and does nothing.
S.answers_key, S.answer_slot = S.P .. 'answers:' .. S.connection, S.number % ANSWERS_MAX
if not S.is_read then
  local kept = rcall('HGET', S.answers_key, S.answer_slot)
  if kept then
    local kept_number = S.from_bytes('>I8', kept)
    if kept_number == S.number and #kept > 8 then return S.sub(kept, 9) end
    -- A late copy of a call whose repeat was answered: nobody waits for it.
    if kept_number >= S.number then return S.encode({'late'}) end
  end
end

-- All operations by name. A family of operations is defined only in calls that use one of it.
S.ACTIONS = {}

S.head_text = rcall('GET', S.P .. 'head')
S.head = S.head_text and S.decode(S.head_text) or false

-- Sets the times of an operation: `wall` decides what is due, `mono` when leases expire, `at` is
-- recorded and never decreases. Without times in the call, the server's clock is read, once.

function S.set_moment(given_wall, given_mono)
  if given_wall then
    S.wall, S.mono = given_wall, given_mono
  else
    if not S.server_ms then
      local now = rcall('TIME')
      S.server_ms = tonumber(now[1]) * 1000 + S.floor(tonumber(now[2]) / 1000)
    end
    S.wall = S.server_ms
    -- After the server's clock was set back, leases continue from the time before.
    local shift = S.head.shift or 0
    local behind = (S.head.mono or 0) - S.wall - shift
    if behind > 0 then shift = shift + behind end
    S.mono = S.wall + shift
    S.head.shift, S.head.mono = shift, S.mono
  end
  S.at = S.max(S.head.at, S.wall)
  -- The time that rows are stamped with. If the clock was hours ahead and has been set back, that
  -- is the clock; otherwise it is the recorded time.
  S.stamp = S.at - S.wall > CORRECTION_MS and S.wall or S.at
end

-- The mark on the store as {type, until when, text}; nil if there is none or a draining has
-- expired.
function S.mark_now()
  local mark = S.head.mark
  if not mark or (mark[1] == 'draining' and mark[2] <= S.wall) then return nil end
  return mark
end

-- The next number after `last`. It grows with time, so that numbers stay unique even if the server
-- lost its last writes.
function S.next_number(last)
  return S.max(last + 1, S.min(S.at * 1024, TIME_MAX))
end

-- A number as an argument of a command. Made once where many entries share it.
function S.number_text(number)
  return string.format('%.17g', number)
end

-- Keys that end with a kind, queue, unique key, instance or schedule.
S.READY, S.LATER, S.OPEN, S.DONE, S.BEHIND =
  S.P .. 'ready:', S.P .. 'later:', S.P .. 'open:', S.P .. 'done', S.P .. 'queue:'
S.UNIQUE, S.RETRIES = S.P .. 'unique:', S.P .. 'retries:'
S.CHILDREN, S.FLOWS = S.P .. 'children:', S.P .. 'flows:'
S.OF_SCHEDULE, S.OPEN_OF_SCHEDULE = S.P .. 'of:', S.P .. 'openof:'
S.ROWS, S.FIXED, S.IDS = S.P .. 'rows', S.P .. 'fixed', S.P .. 'ids'
S.LEASES, S.EXPIRING, S.DEADLINES = S.P .. 'leases', S.P .. 'expiring', S.P .. 'deadlines'
S.KINDS, S.READY_KINDS, S.LATER_KINDS = S.P .. 'kinds', S.P .. 'readykinds', S.P .. 'laterkinds'
S.SCHEDULE_ROWS, S.SCHEDULE_IDS, S.SCHEDULE_TIMES =
  S.P .. 'schedules', S.P .. 'scheduleids', S.P .. 'scheduletimes'
S.TICKS, S.TICK_TIMES, S.TICK_SCHEDULES, S.GAPS =
  S.P .. 'ticks:', S.P .. 'ticktimes', S.P .. 'tickschedules', S.P .. 'gaps'
S.SLOTS, S.HELD, S.BEHIND_COUNTS = S.P .. 'slots', S.P .. 'held', S.P .. 'behind'

-- What this call read or changed. `rows` are decoded rows, `texts` rows as stored. `dirty` has the
-- ids of changed rows. Changes of sets are in `sets`, by key and member, where only the last change
-- of a member counts; otherwise in the lists of `added` and `removed`, which cost less. Nothing is
-- added to those lists after it was removed, except after a flush.
S.rows, S.dirty, S.texts, S.fixed_texts = {}, {}, {}, {}
S.put_ids, S.put_fixed = {n = 0}, {n = 0}
S.changes_by_kind, S.slot_counters, S.added, S.removed = {}, {}, {}, {}
S.sets, S.counters, S.new_kinds, S.new_ready, S.new_later = {}, {}, {}, {}, {}
S.has_pending = false

-- The changes of one set: the score of each member, false if it is removed.
function S.changes_of(key)
  local members = S.sets[key]
  if not members then
    members = {}
    S.sets[key] = members
  end
  S.has_pending = true
  return members
end

function S.index(key, member, score)
  S.changes_of(key)[member] = score
end

function S.list_of(lists, key)
  local list = lists[key]
  if not list then
    list = {n = 0}
    lists[key] = list
    S.has_pending = true
  end
  return list
end

function S.add_to(list, member, score)
  local n = list.n
  list[n + 1], list[n + 2], list.n = score, member, n + 2
end

function S.add(key, member, score)
  S.add_to(S.list_of(S.added, key), member, score)
end

function S.remove_by(list, member)
  local n = list.n + 1
  list[n], list.n = member, n
end

-- The lists of changes that every instance of a kind needs.
function S.kind_changes(kind)
  local found = S.changes_by_kind[kind]
  if not found then
    local list_of, added, removed = S.list_of, S.added, S.removed
    found = {opened = list_of(added, S.OPEN .. kind), closed = list_of(removed, S.OPEN .. kind),
      leased = list_of(added, S.LEASES), freed = list_of(removed, S.LEASES),
      expiring = list_of(added, S.EXPIRING),
      ids = list_of(added, S.IDS), ready = list_of(added, S.READY .. kind)}
    S.changes_by_kind[kind] = found
  end
  return found
end

function S.load_rows(ids)
  local wanted, count = {}, 0
  for i = 1, #ids do
    local id = ids[i]
    if S.rows[id] == nil and S.texts[id] == nil then
      count = count + 1
      wanted[count] = id
      S.texts[id] = false
    end
  end
  for from = 1, count, CHUNK do
    local to = S.min(from + CHUNK - 1, count)
    local found = rcall('HMGET', S.ROWS, unpack(wanted, from, to))
    for i = from, to do
      local text = found[i - from + 1]
      if text then S.texts[wanted[i]] = text end
    end
  end
end

function S.row(id)
  local found = S.rows[id]
  if found == nil then
    local text = S.texts[id]
    if text == nil then
      text = rcall('HGET', S.ROWS, id)
      S.texts[id] = text
    end
    if not text then return false end
    found = S.decode(text)
    S.rows[id] = found
  end
  return found
end

function S.touch(id)
  S.dirty[id] = true
  S.texts[id] = nil
  S.has_pending = true
end

-- Write a row in its stored form. Nobody may hold it as a decoded row.
function S.put_text(id, text)
  -- Assigning nil to a missing key would also grow the table.
  if S.rows[id] ~= nil then S.rows[id] = nil end
  S.texts[id] = text
  S.remove_by(S.put_ids, id)
  S.has_pending = true
end

function S.row_text(id)
  local text = S.texts[id]
  if not text then
    text = S.encode(S.rows[id])
    S.texts[id] = text
  end
  return text
end

function S.fixed_text(id)
  local text = S.fixed_texts[id]
  if text then return text end
  S.flush_fixed()
  return rcall('HGET', S.FIXED, id)
end

-- The table of members that most rows do not have.
function S.rare(r)
  local members = r[RARE]
  if not members then
    members = {}
    r[RARE] = members
  end
  return members
end

function S.set_rare(r, name, value)
  if value then
    S.rare(r)[name] = value
  elseif r[RARE] then
    r[RARE][name] = nil
  end
end

function S.counter(hash, field)
  local fields = S.counters[hash]
  if not fields then
    fields = {}
    S.counters[hash] = fields
  end
  local found = fields[field]
  if not found then
    found = {delta = 0}
    fields[field] = found
  end
  return found
end

function S.count(hash, field, change)
  local one = S.counter(hash, field)
  one.delta = one.delta + change
  S.has_pending = true
end

function S.count_of(hash, field)
  local one = S.counter(hash, field)
  if not one.base then one.base = tonumber(rcall('HGET', hash, field) or 0) end
  return one.base + one.delta
end

function S.write_pairs(command, key, list, length)
  for from = 1, length, CHUNK do
    rcall(command, key, unpack(list, from, S.min(from + CHUNK - 1, length)))
  end
end

function S.flush_sets()
  for key, list in pairs(S.added) do S.write_pairs('ZADD', key, list, list.n) end
  for key, list in pairs(S.removed) do S.write_pairs('ZREM', key, list, list.n) end
  for key, members in pairs(S.sets) do
    local added, add_length, removed, remove_length = {}, 0, {}, 0
    for member, score in pairs(members) do
      if score then
        added[add_length + 1], added[add_length + 2] = score, member
        add_length = add_length + 2
      else
        remove_length = remove_length + 1
        removed[remove_length] = member
      end
    end
    if add_length > 0 then S.write_pairs('ZADD', key, added, add_length) end
    if remove_length > 0 then S.write_pairs('ZREM', key, removed, remove_length) end
  end
  S.sets, S.changes_by_kind, S.added, S.removed = {}, {}, {}, {}
end

function S.flush_counters()
  for hash, fields in pairs(S.counters) do
    for field, one in pairs(fields) do
      if one.delta ~= 0 then
        local now = rcall('HINCRBY', hash, field, one.delta)
        if now == 0 then rcall('HDEL', hash, field) end
        one.base, one.delta = now, 0
      end
    end
  end
end

function S.flush_fixed()
  S.write_pairs('HSET', S.FIXED, S.put_fixed, S.put_fixed.n)
  S.put_fixed = {n = 0}
end

function S.flush_rows()
  local list, length, ids = {}, 0, S.put_ids
  for i = 1, ids.n do
    list[length + 1], list[length + 2] = ids[i], S.row_text(ids[i])
    length = length + 2
  end
  S.put_ids = {n = 0}
  for id in pairs(S.dirty) do
    list[length + 1], list[length + 2] = id, S.row_text(id)
    length = length + 2
  end
  S.write_pairs('HSET', S.ROWS, list, length)
  S.dirty = {}
  S.flush_fixed()
  list, length = {}, 0
  for id, text in pairs(S.fixed_texts) do
    list[length + 1], list[length + 2] = id, text
    length = length + 2
  end
  S.write_pairs('HSET', S.FIXED, list, length)
  S.fixed_texts = {}
end

function S.flush()
  if not S.has_pending then return end
  S.has_pending = false
  S.flush_rows()
  S.flush_sets()
  S.flush_counters()
  for kind in pairs(S.new_kinds) do rcall('SADD', S.KINDS, kind) end
  for kind in pairs(S.new_ready) do rcall('SADD', S.READY_KINDS, kind) end
  for kind, due in pairs(S.new_later) do rcall('ZADD', S.LATER_KINDS, 'LT', due, kind) end
  S.new_kinds, S.new_ready, S.new_later = {}, {}, {}
end

-- Write all changes and forget what was read. What follows reads from the server.
function S.flush_all()
  S.flush()
  S.rows, S.texts = {}, {}
end

-- Returns the key of a set that is about to be read, after writing its changes.
function S.settled(key)
  if S.sets[key] or S.added[key] or S.removed[key] then S.flush() end
  return key
end

function S.set_of(list)
  local found = {}
  for i = 1, #list do found[list[i]] = true end
  return found
end

S.hint_due, S.hint_claims = nil, {}
S.hint_flags = {}

function S.hint_instances(due)
  if not S.hint_due or due < S.hint_due then S.hint_due = due end
end

function S.hint(name)
  S.hint_flags[name] = true
end
