-- Pauses, and the slots in use: of a kind, of a queue, and of each on one node.

S.PAUSES, S.LIMITED, S.STAMPS = S.P .. 'pauses', S.P .. 'limited', S.P .. 'stamps'
S.STARTS, S.START_TIMES = S.P .. 'starts', S.P .. 'starttimes'
S.INFINITY = math.huge
S.pauses_read = nil

function S.pauses()
  if S.pauses_read then return S.pauses_read end
  S.pauses_read = {}
  local list = rcall('HGETALL', S.PAUSES)
  for i = 1, #list, 2 do S.pauses_read[list[i]] = S.decode(list[i + 1]) end
  return S.pauses_read
end

-- When the pause of a kind ends; nil if it is not paused. Notices never are.
function S.paused_until(kind)
  local last = nil
  for _, name in ipairs({'', kind}) do
    local pause = S.pauses()[name]
    local until_at = pause and (pause[1] or S.INFINITY)
    if until_at and until_at > S.wall then last = S.max(last or until_at, until_at) end
  end
  if last and string.sub(kind, 1, #NOTICE_KINDS) == NOTICE_KINDS then return nil end
  return last
end

-- Names of slot counters: of a kind, of a queue, and of each on one node; and of those of a queue
-- that rows keep.
function S.node_slots(kind, node) return 'n' .. kind .. '\0' .. node end
function S.queue_slots(kind, queue) return 'q' .. kind .. '\0' .. queue end
function S.queue_node_slots(kind, queue, node)
  return 'm' .. kind .. '\0' .. queue .. '\0' .. node
end

function S.kept_slots(kind, queue) return 'h' .. kind .. '\0' .. queue end

function S.change_slots(r, change)
  S.change_slots_of(r[KIND], r[QUEUE], r[NODE] or '', change)
end

function S.change_slots_of(kind, queue, node, change)
  local found = S.slot_counters
  -- Most rows of a call have the same kind and node.
  if found.kind ~= kind or found.node ~= node then
    found = {kind = kind, node = node, total = S.counter(S.SLOTS, 'k' .. kind),
      of_node = S.counter(S.SLOTS, S.node_slots(kind, node))}
    S.slot_counters = found
  end
  found.total.delta = found.total.delta + change
  found.of_node.delta = found.of_node.delta + change
  S.has_pending = true
  if queue then
    S.count(S.SLOTS, S.queue_slots(kind, queue), change)
    S.count(S.SLOTS, S.queue_node_slots(kind, queue, node), change)
  end
end

-- Let a claimed row keep a slot of its queue until its end. It never waits in the queue again.
function S.keep_slot(r)
  local members = S.rare(r)
  members.slotKey, r[QUEUE] = r[QUEUE], false
  S.count_kept(r, 1)
end

-- Count the slot that an unfinished row keeps, if it does.
function S.count_kept(r, change)
  local key = r[RARE] and r[RARE].slotKey
  if key then S.count(S.SLOTS, S.kept_slots(r[KIND], key), change) end
end

-- After a slot was freed, wake nodes whose limits may have blocked waiting instances. In a pool, a
-- slot also helps other kinds.
S.limited_kinds = nil
function S.note_freed(kind)
  S.limited_kinds = S.limited_kinds or rcall('SMEMBERS', S.LIMITED)
  local is_limited, is_ready = false, false
  for i = 1, #S.limited_kinds do
    local one = S.limited_kinds[i]
    if one == kind then is_limited = true end
  end
  if not is_limited then return end
  for i = 1, #S.limited_kinds do
    local one = S.limited_kinds[i]
    if S.new_ready[one] or rcall('EXISTS', S.READY .. one) == 1
      or S.count_of(S.BEHIND_COUNTS, one) > 0 then
      is_ready = true
    end
  end
  if is_ready then S.hint_instances(S.wall) end
end
