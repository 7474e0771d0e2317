import { JobError } from "../core/errors.ts";
import type { ManagerApi, ManagerStatus, WorkerStatus } from "./api.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { nextScheduledRun } from "./instances/upcoming.ts";
import { claimerOf, type ManagerParts } from "./manager_parts.ts";

/** The workers of this node and their current work. */
export function workerStatus({ options, dispatcher, fullWorkers }: ManagerParts): WorkerStatus {
  const { alive, failedStarts = 0, silent = 0 } = options.executor.stats();
  const { count, busy, missingCount: missing } = dispatcher;
  const { fullMs } = fullWorkers;
  return {
    count,
    busy,
    alive,
    ...(fullMs === null ? {} : { fullMs }),
    ...(failedStarts === 0 ? {} : { failedStarts }),
    ...(missing === 0 ? {} : { missing }),
    ...(silent === 0 ? {} : { silent }),
  };
}

/** The state of a node. @throws JobError `unavailable` unless it runs and its store responds */
export async function nodeStatus(
  manager: Pick<ManagerApi, "version" | "unservedKinds" | "listNodes">,
  parts: ManagerParts,
  { life, storeProblem }: { readonly life: Lifecycle; readonly storeProblem: string | null },
): Promise<ManagerStatus> {
  const { store, options, schedules, registry, scheduler, ticks } = parts;
  const { storeInfo, startedAt, isDraining } = life;
  if (!storeInfo) {
    throw new JobError("unavailable", "Cannot report the status: the manager is not running");
  }
  if (store.problem) throw new JobError("unavailable", store.problem);
  const stored = await store.stats();
  const stats = { ...stored, schedules: Math.max(0, stored.schedules - schedules.removed.count) };
  const waiting = [...stats.kinds].filter(([, counts]) => counts.scheduled > 0);
  const unserved = await manager.unservedKinds(waiting.map(([kind]) => kind));
  const nodes = await manager.listNodes();
  const pauses = await store.listPauses();
  const turn = () => new Promise<void>((resolve) => options.clock.defer(resolve));
  return {
    node: options.node,
    version: manager.version,
    startedAt,
    isDraining,
    storeProblem,
    reloadProblem: options.configuration?.problem ?? null,
    upgradeProblem: options.daemon?.upgradeProblem ?? null,
    listenerProblems: options.listenerProblems?.() ?? [],
    store: storeInfo,
    workers: workerStatus(parts),
    stats,
    nodes: nodes.filter(({ state }) => state !== "left" && state !== "lost"),
    lostCount: nodes.filter(({ state }) => state === "lost").length,
    ticks: ticks.counts,
    blocks: [...unserved.values(), ...await store.blocks(claimerOf(parts))],
    pauses,
    disabled: registry.disabled,
    nextScheduleAt: scheduler.nextAt,
    nextRunAt: await nextScheduledRun(store, pauses, turn),
  };
}
