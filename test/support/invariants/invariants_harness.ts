import { isFinal } from "../../../src/core/state.ts";
import type { Observations } from "./invariants.ts";
import { isStuck } from "./invariants_end.ts";
import type { Replay, Report } from "./invariants_replay.ts";

/** Check what clients, resources and workers saw against what the records say. */
export function checkHarness(observations: Observations, replay: Replay, report: Report): void {
  checkAcks(observations, replay, report);
  checkCancels(observations, replay, report);
  checkEffects(observations, report);
  checkRuns(observations, replay, report);
}

// D1: no acknowledged instance is lost; S1: a request makes one instance; S2: it has the key that
// was asked; L1: it comes to an end.
function checkAcks(observations: Observations, replay: Replay, report: Report): void {
  const { acks = [], snapshot, endAt, horizonMs } = observations;
  const found = snapshot && new Map(snapshot.map((instance) => [instance.id, instance]));
  for (const { instanceId, requestedId, uniqueKey } of acks) {
    if (requestedId !== undefined && instanceId !== requestedId) {
      const isSameKey = uniqueKey != null && !replay.instances.has(requestedId);
      if (!isSameKey) report("S1", `${requestedId} was acknowledged as ${instanceId}`);
    }
    const tracked = replay.instances.get(instanceId);
    if (!tracked) {
      report("D1", `${instanceId} was acknowledged and never accepted`);
      continue;
    }
    if (uniqueKey != null && tracked.as.uniqueKey !== uniqueKey) {
      report("S2", `${instanceId} acknowledged for key "${uniqueKey}"`);
    }
    if (!found) continue;
    const instance = found.get(instanceId);
    const isRightlyGone = tracked.isDeleted && isFinal(tracked.state);
    if (!instance && !isRightlyGone) report("D1", `${instanceId} was acknowledged and is lost`);
    if (instance && endAt !== undefined && horizonMs !== undefined) {
      if (isStuck(instance, { endAt, horizonMs })) {
        report("L1", `${instanceId} is ${instance.state}, due at ${instance.dueAt}`);
      }
    }
  }
}

function checkCancels({ cancelAcks = [] }: Observations, replay: Replay, report: Report): void {
  for (const { instanceId, rev } of cancelAcks) {
    const tracked = replay.instances.get(instanceId);
    if (!tracked) {
      report("S3", `cancel of ${instanceId} acknowledged: never accepted`);
      continue;
    }
    if (tracked.lastClaimRev > rev) {
      report("K1", `${instanceId} claimed at ${tracked.lastClaimRev}, cancel told at ${rev}`);
    }
    const { finalRev, state } = tracked;
    if ((finalRev === null || finalRev > rev) && isFinal(state) && state !== "canceled") {
      report("K1", `${instanceId} became ${state} at ${finalRev}, cancel told at ${rev}`);
    }
  }
}

function checkEffects({ effects = [] }: Observations, report: Report): void {
  const highest = new Map<string, number>();
  for (const { instanceId, fence } of effects) {
    const last = highest.get(instanceId) ?? 0;
    if (fence < last) report("X1", `${instanceId}: an effect of fence ${fence} after ${last}`);
    highest.set(instanceId, Math.max(last, fence));
  }
}

// E1: job code of an instance runs once at a time; E3: a fence runs once; T1: it begins no sooner
// than it is due; V1: it ends before its lease does.
function checkRuns({ runs = [] }: Observations, replay: Replay, report: Report): void {
  const seen = new Set<string>();
  const lastEnds = new Map<string, number>();
  for (const { instanceId, fence, startedAt, beganAt, endedAt, deadlineMs } of runs) {
    if (startedAt !== undefined) {
      if (startedAt < (lastEnds.get(instanceId) ?? 0)) {
        report("E1", `${instanceId} ran with fence ${fence} beside another`);
      }
      lastEnds.set(instanceId, Math.max(lastEnds.get(instanceId) ?? 0, endedAt ?? Infinity));
    }
    const key = `${instanceId}#${fence}`;
    const isUnstarted = replay.instances.get(instanceId)?.unstarted.has(fence);
    if (isUnstarted) report("A1", `${key} ran and counts as no attempt`);
    if (seen.has(key)) report("E3", `${key} ran again`);
    seen.add(key);
    if (!replay.instances.has(instanceId)) report("S3", `${key} ran: never accepted`);
    const dueAt = replay.instances.get(instanceId)?.dues.get(fence);
    if (beganAt !== undefined && dueAt !== undefined && beganAt < dueAt) {
      report("T1", `${key} began at ${beganAt}, due at ${dueAt}`);
    }
    if (endedAt != null && deadlineMs !== undefined && endedAt > deadlineMs) {
      report("V1", `${key} ended at ${endedAt}, after its deadline ${deadlineMs}`);
    }
  }
}
