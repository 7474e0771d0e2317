-- The ordinary run of an instance: accepted with nothing that is rare, claimed for the first time,
-- ended by its only attempt. Its row gets a new beginning and is never made a list; see also
-- `plain_enqueue.lua`, `plain_claim.lua` and `plain_settle.lua`, which do it with whole batches.
-- What is not of this kind they leave to the general functions, which do the same.

-- How stored rows begin: a list of 18, state, attempt, and that there are no rare members, no end, no reason and no results.
S.WAITS_PLAIN, S.RUNS_PLAIN = '\220\0\18\1\0\194\194\194\194', '\220\0\18\2\1\194\194\194\194'
-- And of one that no node had: no fence, node and time of it.
S.NEW_PLAIN = S.WAITS_PLAIN .. '\0\194\194'
S.unpack_some = cmsgpack.unpack_limit
-- What numbers of nine bytes begin with; a seq has them but on a clock near 1970.
S.WIDE, S.WIDE_MIN = '\207', 4294967296
-- The end of a row that was encoded last, and of what: most rows of a call have the same, and each member encoded is a text made.
S.plain_end, S.plain_item, S.plain_at = false, {}, false

function S.end_of_plain(item)
  local last = S.plain_item
  if S.plain_at ~= S.at or last[IN_KIND] ~= item[IN_KIND] or last[IN_DUE] ~= item[IN_DUE]
    or last[IN_PRIORITY] ~= item[IN_PRIORITY] or last[IN_SUCCESS] ~= item[IN_SUCCESS]
    or last[IN_FAILURE] ~= item[IN_FAILURE] then
    S.plain_end = S.encode(item[IN_KIND], false, item[IN_SUCCESS], item[IN_FAILURE], item[IN_PRIORITY], item[IN_DUE], S.at, S.at)
    S.plain_item, S.plain_at = item, S.at
  end
  return S.plain_end
end

-- Accept an instance that is due.
function S.insert_plain(item)
  local due = item[IN_DUE]
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
