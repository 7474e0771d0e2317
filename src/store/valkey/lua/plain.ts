/**
 * The ordinary run of an instance: accepted with nothing that is rare, claimed for the first time, ended by its only attempt. Its row
 * gets a new beginning and is never made a list. Each function answers nothing for a row that is not of this kind; the general ones then do
 * the same.
 */
export const PLAIN = String.raw`
-- How stored rows begin: a list of 18, state, attempt, and that there are no rare members, no end, no reason and no results.
S.WAITS_PLAIN, S.RUNS_PLAIN = '\220\0\18\1\0\194\194\194\194', '\220\0\18\2\1\194\194\194\194'
-- And of one that no node had: no fence, node and time of it.
S.NEW_PLAIN = S.WAITS_PLAIN .. '\0\194\194'
S.unpack_some = cmsgpack.unpack_limit
S.claim_start, S.claim_node, S.claim_at = false, false, false

-- Accept an instance that is due.
function S.insert_plain(item)
  local due = item[IN_DUE]
  if item[IN_EXTRA] or item[IN_QUEUE] or due > S.wall then return false end
  local id, kind, priority, seq, at = item[IN_ID], item[IN_KIND], item[IN_PRIORITY], S.next_seq(), S.at
  S.fixed_texts[id] = item[IN_FIXED]
  S.put_text(id, S.NEW_PLAIN .. S.encode(seq, kind, false, item[IN_SUCCESS], item[IN_FAILURE], priority, due, at, at))
  S.new_kinds[kind], S.new_ready[kind] = true, true
  local changes, add = S.kind_changes(kind), S.add_to
  add(changes.opened, id, seq)
  add(changes.ids, id, 0)
  add(changes.ready, S.place_of(due, seq) .. id, priority)
  S.hint_instances(due)
  return true
end

-- Claim an instance that has no queue of its own.
function S.take_plain(id, kind, claimer)
  local text, node, at = S.texts[id], claimer.node, S.at
  if not text or S.rows[id] or S.sub(text, 1, 12) ~= S.NEW_PLAIN then return false end
  if S.claim_at ~= at or S.claim_node ~= node then
    S.claim_start, S.claim_node, S.claim_at = S.RUNS_PLAIN .. S.encode(S.next_number(0), node, at), node, at
  end
  S.put_text(id, S.claim_start .. S.sub(text, 13))
  S.add_to(S.kind_changes(kind).leased, id, S.mono + claimer.lease)
  S.change_slots_of(kind, false, node, 1)
  return true
end

-- End an attempt without a log that did what it should.
function S.finish_plain(item)
  local id = item[1]
  local text = S.texts[id]
  if not text or S.rows[id] or S.sub(text, 1, 9) ~= S.RUNS_PLAIN or item[OUT_TYPE] ~= 'final' then return false end
  if item[4] or item[5] or item[6] or item[OUT_ERROR] or item[OUT_IS_FAILURE] then return false end
  local _, fence, node, _, seq, kind, queue, keep_success, keep_failure = S.unpack_some(text, 8, 9)
  if fence ~= item[2] then return false end
  local state = item[OUT_STATE]
  S.put_text(id, S.sub(text, 1, 3) .. S.encode(state, 1, false, S.at, item[OUT_REASON], item[OUT_RESULTS]) .. S.sub(text, 10))
  S.remove_by(S.kind_changes(kind).freed, id)
  S.change_slots_of(kind, queue, node, -1)
  S.leave_open(id, kind, state, seq, S.min(S.at + (state == COMPLETED and keep_success or keep_failure), MAX))
  S.note_freed(kind)
  return true
end
`;
