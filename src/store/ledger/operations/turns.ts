import type { Instance } from "../../../core/instance.ts";
import {
  ID_LENGTH,
  memberKey,
  type OpenChildren,
  openKey,
  stepMemoKey,
  STEPS_MAX,
  TURN_IDS,
  TURN_KEY,
  turnIdsKey,
  type Turns,
  turnsKey,
} from "../../../core/wait.ts";
import { isFinal } from "../../../core/state.ts";
import type { LedgerState, Moment } from "../state.ts";
import { readJson, writeStep } from "./step_records.ts";
import { updateInstance } from "./update_instance.ts";

/** The children of a call. */
interface Group {
  readonly group: string;
  readonly count: OpenChildren;
}

/** The count of open children of a call; null without one. */
export function openChildren(state: LedgerState, id: string, group: string): OpenChildren | null {
  return readJson(state.tables.memos.get(stepMemoKey(id, openKey(group)))?.data);
}

/** Record the count of open children of a call. */
export function saveOpen(
  state: LedgerState,
  id: string,
  group: string,
  count: OpenChildren,
): void {
  writeStep(state, id, openKey(group), JSON.stringify(count));
}

/** A new child that is to wait for its turn: at once if nobody would give it one. */
export function turnOf(state: LedgerState, { wallMs }: Moment, child: Instance): Instance {
  const parent = state.tables.instances.get(child.parentId ?? "")?.instance;
  if (child.waits === null || (parent && !isFinal(parent.state))) return child;
  return begun(child, wallMs);
}

/** Give children their turns, now that all have been accepted. */
export function giveTurns(state: LedgerState, moment: Moment, id: string, group: string): void {
  const count = openChildren(state, id, group);
  if (count?.turns) saveOpen(state, id, group, withTurns(state, moment, id, { group, count }));
}

/** Count the end of a child, and give the next one its turn unless the wait for all is over. */
export function endTurn(
  state: LedgerState,
  moment: Moment,
  { parentId, parentStep }: Instance,
  { group, count, isOver }: Group & { readonly isOver: boolean },
): void {
  const { turns } = count;
  const place = Number(parentStep!.slice(group.length + 1));
  const running = Math.max(turns!.running - (place < turns!.next ? 1 : 0), 0);
  const ended = { ...count, turns: { ...turns!, running } };
  const id = parentId!;
  saveOpen(
    state,
    id,
    group,
    isOver ? ended : withTurns(state, moment, id, { group, count: ended }),
  );
}

/**
 * A parent has ended. Where none of its children is under way, nothing else would give the others
 * their turn: they run to their end as well.
 */
export function giveLastTurns(state: LedgerState, moment: Moment, { id }: Instance): void {
  for (const group of groupsOf(state, id)) giveTurns(state, moment, id, group);
}

/** Let all children run that wait for their turn: the records by which they take it go. */
export function releaseChildren(
  state: LedgerState,
  moment: Moment,
  { id, flowId }: Instance,
): void {
  if (flowId === null) return;
  for (const group of groupsOf(state, id)) {
    const count = openChildren(state, id, group);
    if (!count?.turns) continue;
    const turns = { ...count.turns, max: STEPS_MAX };
    withTurns(state, moment, id, { group, count: { ...count, turns } });
  }
}

/** Calls of an instance whose children take turns. */
function groupsOf(state: LedgerState, id: string): readonly string[] {
  const range = { prefix: stepMemoKey(id, turnsKey("")), after: null, limit: STEPS_MAX };
  return state.tables.memos.list(range).map(({ key }) => key.slice(range.prefix.length));
}

/** Give children their turns while fewer than allowed are under way. @returns the count then */
function withTurns(
  state: LedgerState,
  moment: Moment,
  id: string,
  { group, count }: Group,
): OpenChildren {
  let { max, next, running } = count.turns!;
  // Job code can forge any record of its own instance.
  const total = Math.min(count.total ?? 0, STEPS_MAX);
  for (; running < max && next < total; next += 1) {
    if (giveTurn(state, moment, id, { group, place: next })) running += 1;
  }
  const turns: Turns = { ...count.turns!, next, running };
  return { ...count, turns };
}

/** Let a child run that waits for its turn. @returns false if it does not */
function giveTurn(
  state: LedgerState,
  moment: Moment,
  id: string,
  { group, place }: { readonly group: string; readonly place: number },
): boolean {
  const { instances, memos } = state.tables;
  const ids = readJson<string>(memos.get(stepMemoKey(id, turnIdsKey(group, place)))?.data);
  const from = (place % TURN_IDS) * ID_LENGTH;
  const row = instances.get(ids?.slice(from, from + ID_LENGTH) ?? "");
  if (!row) return false;
  const { instance } = row;
  const isChild = instance.parentId === id && instance.parentStep === memberKey(group, place);
  if (!isChild || instance.state !== "scheduled" || !takesTurn(instance)) return false;
  updateInstance(state, moment, row, begun(instance, moment.wallMs));
  return true;
}

function takesTurn({ waits }: Instance): boolean {
  return waits?.some(({ key }) => key === TURN_KEY) ?? false;
}

/** A child whose turn it is. */
function begun(child: Instance, wallMs: number): Instance {
  const { deadlineMs } = child.waits![0]!;
  const own = deadlineMs === undefined ? Infinity : wallMs + deadlineMs;
  const deadlineAt = Math.min(child.deadlineAt ?? Infinity, own);
  return {
    ...child,
    waits: null,
    dueAt: wallMs,
    deadlineAt: deadlineAt === Infinity ? null : deadlineAt,
  };
}
