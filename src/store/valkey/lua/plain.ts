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
-- Parts of rows that were encoded last, and of what: most rows of a call have the same, and each member encoded is a text made.
S.claim_start, S.claim_node, S.claim_at = false, false, false
S.plain_end, S.plain_item, S.plain_at = false, {}, false
S.outcome_text, S.outcome_item, S.outcome_at = false, {}, false

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

function S.start_of_outcome(item)
  local last = S.outcome_item
  if S.outcome_at ~= S.at or last[OUT_STATE] ~= item[OUT_STATE] or last[OUT_REASON] ~= item[OUT_REASON]
    or last[OUT_RESULTS] ~= item[OUT_RESULTS] then
    S.outcome_text = S.sub(S.RUNS_PLAIN, 1, 3) .. S.encode(item[OUT_STATE], 1, false, S.at, item[OUT_REASON], item[OUT_RESULTS])
    S.outcome_item, S.outcome_at = item, S.at
  end
  return S.outcome_text
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
  S.put_text(id, S.start_of_outcome(item) .. S.sub(text, 10))
  S.remove_by(S.kind_changes(kind).freed, id)
  S.change_slots_of(kind, queue, node, -1)
  S.leave_open(id, kind, state, seq, S.min(S.at + (state == COMPLETED and keep_success or keep_failure), MAX))
  S.note_freed(kind)
  return true
end
`;
