import { JobError } from "../core/errors.ts";
import { unservedBlock } from "../core/job/limits.ts";
import type { ManagerApi, ManagerStatus } from "./api.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { ManagerParts } from "./manager_parts.ts";
import type { NextDueRequest } from "../store/store.ts";

/** The state of a node at a glance. @throws JobError `unavailable` if the manager is not running or its store failed */
export async function managerStatus(
  manager: Pick<ManagerApi, "version" | "unservedKinds" | "workers" | "listNodes">,
  { store, options, schedules, registry, scheduler }: ManagerParts,
  { life, storeProblem, claimer }: {
    readonly life: Lifecycle;
    readonly storeProblem: string | null;
    readonly claimer: NextDueRequest;
  },
): Promise<ManagerStatus> {
  const { storeInfo, startedAt, isDraining } = life;
  if (!storeInfo) {
    throw new JobError("unavailable", "Cannot report the status: the manager is not running");
  }
  if (store.problem) throw new JobError("unavailable", store.problem);
  const stored = await store.stats();
  const stats = { ...stored, schedules: Math.max(0, stored.schedules - schedules.removed.count) };
  const waiting = [...stats.kinds].filter(([, counts]) => counts.scheduled > 0);
  const unserved = await manager.unservedKinds(waiting.map(([kind]) => kind));
  return {
    ...{ node: options.node, version: manager.version, startedAt, isDraining, storeProblem },
    reloadProblem: options.configuration?.problem ?? null,
    store: storeInfo,
    workers: manager.workers(),
    stats,
    nodes: (await manager.listNodes()).filter(({ state }) => state !== "left" && state !== "lost"),
    blocks: [...[...unserved].map(unservedBlock), ...await store.blocks(claimer)],
    pauses: await store.listPauses(),
    disabled: registry.disabled,
    nextScheduleAt: scheduler.nextAt,
  };
}
