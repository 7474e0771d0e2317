-- The ordinary life of an instance: accepted without rare members, claimed once, ended by its only
-- attempt. Its row only gets a new beginning and is never decoded. enqueue.lua, plain_claim.lua and
-- outcomes.lua do this for whole batches. Rows that are not plain are left to the general
-- functions, which have the same effect.

-- The beginnings of stored plain rows: a list of 18, the state, the attempt, and false for rare
-- members, settled time, reason and results.
S.WAITS_PLAIN, S.RUNS_PLAIN = '\220\0\18\1\0\194\194\194\194', '\220\0\18\2\1\194\194\194\194'
-- The beginning of a row that no node has claimed: no fence, node and time of a claim.
S.NEW_PLAIN = S.WAITS_PLAIN .. '\0\194\194'
S.unpack_some = cmsgpack.unpack_limit
-- First byte of a number encoded in nine bytes. Every seq is one unless the clock is near 1970.
S.WIDE, S.WIDE_MIN = '\207', 4294967296
-- The end of the row that was encoded last, and its item. Most rows of a call share it, and
-- encoding a member costs a string.
S.plain_end, S.plain_item, S.plain_at, S.plain_wall = false, {}, false, false

function S.end_of_plain(item)
  local last = S.plain_item
  if S.plain_at ~= S.at or S.plain_wall ~= S.wall or last[IN_KIND] ~= item[IN_KIND]
    or last[IN_DUE] ~= item[IN_DUE]
    or last[IN_PRIORITY] ~= item[IN_PRIORITY] or last[IN_SUCCESS] ~= item[IN_SUCCESS]
    or last[IN_FAILURE] ~= item[IN_FAILURE] then
    S.plain_end = S.encode(item[IN_KIND], false, item[IN_SUCCESS], item[IN_FAILURE],
      item[IN_PRIORITY], item[IN_DUE] or S.wall, S.at, S.at)
    S.plain_item, S.plain_at, S.plain_wall = item, S.at, S.wall
  end
  return S.plain_end
end

-- Accept an instance that is due. Returns false if it is not plain.
function S.insert_plain(item)
  local due = item[IN_DUE] or S.wall
  if item[IN_EXTRA] or item[IN_QUEUE] or due > S.wall then return false end
  local id, kind, priority, seq = item[IN_ID], item[IN_KIND], item[IN_PRIORITY], S.next_seq()
  S.add_to(S.put_fixed, item[IN_FIXED], id)
  S.put_text(id, S.NEW_PLAIN .. S.encode(seq) .. S.end_of_plain(item))
  S.new_kinds[kind], S.new_ready[kind] = true, true
  local changes, add = S.kind_changes(kind), S.add_to
  add(changes.opened, id, seq)
  add(changes.ids, id, 0)
  add(changes.ready, S.place_of(due, seq) .. id, priority)
  S.hint_instances(due)
  return true
end
