import { isFinal } from "../../../src/core/state.ts";
import type { Observations } from "./invariants.ts";
import type { Replay, Report, Tracked } from "./invariants_replay.ts";

/** Check what the store holds at the end against what the records say that it did. */
export function checkEnd(observations: Observations, replay: Replay, report: Report): void {
  checkSnapshot(observations, replay, report);
  checkCounts(observations, replay, report);
  checkLogs(observations, replay, report);
  checkTicks(observations, replay, report);
}

// D2: the end snapshot equals the replay; Q1: nothing that was accepted is missing from the sum.
function checkSnapshot({ snapshot }: Observations, replay: Replay, report: Report): void {
  if (!snapshot) return;
  const found = new Map(snapshot.map((instance) => [instance.id, instance]));
  let deletedCount = 0;
  for (const [id, tracked] of replay.instances) {
    const instance = found.get(id);
    if (tracked.isDeleted) {
      deletedCount += 1;
      if (instance) report("D2", `${id} was deleted and is there`);
      continue;
    }
    if (!instance) {
      report("D2", `${id} is not there`);
      continue;
    }
    const difference = differenceOf(tracked, instance);
    if (difference) report("D2", `${id} ${difference}`);
  }
  for (const id of found.keys()) {
    if (!replay.instances.has(id)) report("D2", `${id} is there and was never accepted`);
  }
  const sum = snapshot.length + deletedCount;
  if (sum !== replay.instances.size) {
    report("Q1", `${replay.instances.size} accepted, ${sum} there or deleted`);
  }
}

function differenceOf(tracked: Tracked, instance: Tracked["as"]): string | null {
  const { state, attempt, fence, failures, dueAt, settledAt } = tracked;
  const expected = { state, attempt, fence, failures, dueAt, settledAt };
  for (const [field, value] of Object.entries(expected)) {
    const stored = instance[field as keyof typeof expected];
    if (stored !== value) return `has ${field} ${stored}, the records say ${value}`;
  }
  return null;
}

function checkCounts({ counts }: Observations, replay: Replay, report: Report): void {
  if (!counts) return;
  const expected = new Map<string, number>();
  for (const { as, state, isDeleted } of replay.instances.values()) {
    if (isDeleted) continue;
    const key = `${as.kind} ${state}`;
    expected.set(key, (expected.get(key) ?? 0) + 1);
  }
  for (const [kind, states] of counts) {
    for (const [state, count] of Object.entries(states)) {
      const key = `${kind} ${state}`;
      if (count !== (expected.get(key) ?? 0)) {
        report("Q1", `${key}: ${count} counted, ${expected.get(key) ?? 0} by the records`);
      }
      expected.delete(key);
    }
  }
  for (const [key, count] of expected) {
    report("Q1", `${key}: none counted, ${count} by the records`);
  }
}

// G1: lines are numbered 1..n within an instance; R1: those of a deleted instance are gone.
function checkLogs({ logs }: Observations, replay: Replay, report: Report): void {
  if (!logs) return;
  const numbers = new Map<string, number[]>();
  const seen = new Map<string, number>();
  for (const { instanceId, fence, seq } of logs) {
    const key = `${instanceId}#${fence}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
    numbers.set(instanceId, [...numbers.get(instanceId) ?? [], seq]);
    if (replay.instances.get(instanceId)?.isDeleted) report("R1", `${key}: a line is left`);
  }
  for (const [id, found] of numbers) {
    found.sort((a, b) => a - b);
    const index = found.findIndex((seq, at) => seq !== at + 1);
    if (index >= 0) report("G1", `${id}: line ${found[index]} after ${found[index - 1] ?? 0}`);
  }
  for (const [id, { lines, isDeleted }] of replay.instances) {
    if (isDeleted) continue;
    for (const [fence, count] of lines) {
      const there = seen.get(`${id}#${fence}`) ?? 0;
      if (there !== count) report("G1", `${id}#${fence}: ${there} lines of ${count}`);
    }
  }
}

// C1: each expected tick has one fate; C3: nothing else fires.
function checkTicks({ expectedTicks }: Observations, replay: Replay, report: Report): void {
  if (!expectedTicks) return;
  for (const [schedule, ticks] of expectedTicks) {
    for (const tick of ticks) {
      const found = replay.fires.get(`${schedule}@${tick}`) ?? [];
      const fires = found.length;
      const skips = replay.skips.filter((skip) =>
        skip.schedule === schedule && skip.tick <= tick && tick <= skip.toTick
      ).length;
      // One that a backfill ran after all keeps the record of what it was before.
      const hadFate = found.some(({ isBackfill }) =>
        isBackfill
      ) && skips === 1;
      if (fires + skips !== 1 && !(fires === 1 && hadFate)) {
        report("C1", `${schedule}@${tick} fired ${fires} and skipped ${skips} times`);
      }
    }
  }
  for (const fires of replay.fires.values()) {
    for (const { schedule, tick } of fires) {
      if (expectedTicks.get(schedule)?.includes(tick)) continue;
      report("C3", `${schedule}@${tick} fired and is no tick`);
    }
  }
}

/** Whether an instance that was due for `horizonMs` is still unfinished. */
export function isStuck(
  instance: Tracked["as"],
  options: { readonly endAt: number; readonly horizonMs: number },
): boolean {
  return !isFinal(instance.state) && instance.dueAt < options.endAt - options.horizonMs;
}
