import { JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import type { ScheduleRecord, TickFate } from "../../core/schedule.ts";
import type { Advance, AdvanceResult, NewInstance, Page, PageRequest } from "../store.ts";
import { checkBatch, checkNewInstance, checkPage, checkTime } from "./checks.ts";
import { insertInstance } from "./enqueue.ts";
import { readToken, writeToken } from "./page_token.ts";
import { acceptInstance, storable } from "./rules.ts";
import type { LedgerState, Moment } from "./state.ts";

/** Make steps of schedules, each a compare-and-set on (generation, cursor). */
export function advance(
  state: LedgerState,
  moment: Moment,
  advances: readonly Advance[],
): readonly AdvanceResult[] {
  checkBatch(advances.length, "advance");
  for (const one of advances) checkAdvance(one);
  return advances.map((one) => advanceOne(state, moment, one));
}

function checkAdvance(request: Advance): void {
  checkBatch(request.fires.length, "fire");
  checkTime(request.cursor, "cursor");
  if (request.nextAt !== null) checkTime(request.nextAt, "nextAt");
  if (request.overlap !== "skip" && request.overlap !== "allow") {
    throw new JobError(
      "unimplemented",
      `Cannot advance schedule "${request.scheduleId}" with overlap "${request.overlap}": only "skip" and "allow" are known`,
      { path: "overlap" },
    );
  }
  for (const fire of request.fires) {
    checkNewInstance(fire);
    if (fire.scheduleId === request.scheduleId && fire.scheduledFor !== null) continue;
    throw new JobError(
      "invalid_argument",
      `Cannot fire instance ${fire.id} of schedule "${request.scheduleId}": it carries schedule "${fire.scheduleId}" and time ${fire.scheduledFor}`,
      { path: "fires" },
    );
  }
}

function advanceOne(state: LedgerState, moment: Moment, request: Advance): AdvanceResult {
  const { scheduleId } = request;
  const none = { scheduleId, accepted: [], skipped: [] };
  const record = state.tables.getSchedule(scheduleId);
  if (!record) return { ...none, status: "gone" };
  if (record.generation !== request.generation || record.cursor !== request.expectedCursor) {
    return { ...none, status: "conflict" };
  }
  state.isDirty = true;
  const accepted: Instance[] = [];
  const skipped: number[] = [];
  for (const fate of request.fates) addFate(state, { ...fate, scheduleId, at: moment.at });
  for (const fire of request.fires) {
    const scheduledFor = fire.scheduledFor!;
    // A tick that has its fate keeps it, whatever became of the cursor.
    if (state.tables.hasTick(scheduleId, scheduledFor)) continue;
    const reason = whyNot(state, request, fire);
    const fate = {
      scheduleId,
      from: scheduledFor,
      to: scheduledFor,
      count: 1,
      reason,
      at: moment.at,
    };
    if (reason !== null) {
      addFate(state, { ...fate, fate: "skipped", instanceId: null });
      skipped.push(scheduledFor);
      continue;
    }
    const instance = acceptInstance(fire, moment.at);
    insertInstance(state, moment, instance);
    addFate(state, { ...fate, fate: "fired", instanceId: instance.id });
    accepted.push(instance);
  }
  state.tables.saveSchedule({ ...record, cursor: request.cursor, nextAt: request.nextAt });
  state.hints.push({ type: "schedules" });
  return { scheduleId, status: "advanced", accepted, skipped };
}

/** Why a tick does not fire, or null. A refusal here must not hold the schedule up for ever, so it is a fate. */
function whyNot(state: LedgerState, request: Advance, fire: NewInstance): string | null {
  if (request.overlap === "skip" && state.tables.hasOpen(request.scheduleId)) return "overlap";
  if (state.tables.get(fire.id)) return "id taken";
  if (fire.uniqueKey !== null && state.tables.openByKey(fire.uniqueKey)) return "unique key taken";
  return null;
}

function addFate(state: LedgerState, fate: TickFate): void {
  if (!state.tables.hasTick(fate.scheduleId, fate.from)) state.tables.addTick(fate);
}

/** Write a schedule when the generation is the one expected. */
export function putSchedule(
  state: LedgerState,
  record: ScheduleRecord,
  expectedGeneration: number | null,
): ScheduleRecord {
  const generation = state.tables.getSchedule(record.id)?.generation ?? null;
  if (generation !== expectedGeneration) {
    const found = generation === null ? "there is none" : `generation ${generation} is stored`;
    const wanted = expectedGeneration === null
      ? "none was expected"
      : `${expectedGeneration} was expected`;
    throw new JobError(
      "conflict",
      `Cannot write schedule "${record.id}": ${found}, ${wanted}`,
      { hint: "Read the schedule again and repeat the change" },
    );
  }
  checkTime(record.cursor, "cursor");
  if (record.nextAt !== null) checkTime(record.nextAt, "nextAt");
  const stored = JSON.parse(
    JSON.stringify(record),
    (_key, value) => typeof value === "string" ? storable(value) : value,
  ) as ScheduleRecord;
  state.isDirty = true;
  state.tables.saveSchedule(stored);
  if (generation === null) state.scheduleCount += 1;
  state.hints.push({ type: "schedules" });
  return stored;
}

/** Delete a schedule; whether there was one. Its fates stay, so that no tick fires twice. */
export function deleteSchedule(state: LedgerState, id: string): boolean {
  if (!state.tables.getSchedule(id)) return false;
  state.isDirty = true;
  state.tables.removeSchedule(id);
  state.scheduleCount -= 1;
  state.hints.push({ type: "schedules" });
  return true;
}

/** A page of schedules by id. */
export function listSchedules(
  state: LedgerState,
  query: { readonly kind?: string; readonly origin?: "config" | "runtime" },
  page: PageRequest,
): Page<ScheduleRecord> {
  checkPage(page, "list schedules");
  const isReverse = page.order !== "oldest";
  let afterId = page.token === undefined
    ? null
    : readToken<string>(page.token, "schedules", ["string"])[0]!;
  const items: ScheduleRecord[] = [];
  for (;;) {
    const chunk = state.tables.schedules({ afterId, isReverse, limit: page.limit + 1 });
    for (const record of chunk) {
      const isWanted = (query.kind ?? record.kind) === record.kind &&
        (query.origin ?? record.origin) === record.origin;
      if (!isWanted) continue;
      if (items.length === page.limit) {
        return { items, nextToken: writeToken("schedules", [items.at(-1)!.id]) };
      }
      items.push(record);
    }
    if (chunk.length <= page.limit) return { items, nextToken: null };
    afterId = chunk.at(-1)!.id;
  }
}

/** A page of fates by due time. */
export function listFates(
  state: LedgerState,
  query: { readonly scheduleId: string; readonly after?: number; readonly before?: number },
  page: PageRequest,
): Page<TickFate> {
  checkPage(page, "list fates");
  const isReverse = page.order !== "oldest";
  let from = query.after ?? -Number.MAX_SAFE_INTEGER;
  let to = query.before === undefined ? Number.MAX_SAFE_INTEGER : query.before - 1;
  if (page.token !== undefined) {
    const [last] = readToken<number>(page.token, "fates", ["number"]);
    if (isReverse) to = Math.min(to, last! - 1);
    else from = Math.max(from, last! + 1);
  }
  const stretch = { from, to, isReverse, limit: page.limit + 1 };
  const found = state.tables.ticks(query.scheduleId, stretch);
  const items = found.slice(0, page.limit);
  const hasMore = found.length > page.limit;
  return { items, nextToken: hasMore ? writeToken("fates", [items.at(-1)!.from]) : null };
}
