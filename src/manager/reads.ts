import { lazyMethods } from "../platform/lazy.ts";
import { BATCH_MAX, type StoreReads } from "../store/store.ts";
import type { LiveFacts, ReadApi } from "./api.ts";
import { countUpTo } from "./instances/count_up_to.ts";
import { findInstance } from "./instances/find_instance.ts";
import { follow, type FollowContext } from "./instances/follow.ts";
import { upcoming } from "./instances/upcoming.ts";
import { findSchedule } from "./schedules/stored_schedules.ts";
import type { TimelineReads } from "./timeline/timeline.ts";

const FULL_PAGE = { limit: BATCH_MAX } as const;

/** Sources of {@link createReads}. */
interface ReadParts extends FollowContext {
  readonly store: StoreReads;
  readonly facts: LiveFacts;
}

/** The reads of a manager, from its own store or another reader. Rare ones load their code. */
export function createReads(partsOf: () => ReadParts): ReadApi {
  const timeline = lazyMethods<TimelineReads>(async () => {
    const { Timeline } = await import("./timeline/timeline.ts");
    return new Timeline(partsOf());
  });
  return {
    getInstance: (id, options) => findInstance(id, { ...options, ...partsOf() }),
    lookupInstances: (query, page = FULL_PAGE) => partsOf().store.list(query, page),
    lookupInstanceHistory: (query, page = FULL_PAGE) => partsOf().store.history(query, page),
    lookupInstanceLogs: (query, page = FULL_PAGE) => partsOf().store.logs(query, page),
    async countUpTo(query, max, action) {
      const { store, facts } = partsOf();
      if (action === undefined) return await countUpTo(store, query, max);
      const { countAffected } = await import("./instances/count_affected.ts");
      return await countAffected(store, query, { action, max, ownKinds: facts.ownKinds });
    },
    async jobStats(query) {
      const { jobStats } = await import("./instances/job_stats.ts");
      return await jobStats(partsOf().store, query);
    },
    async upcoming(query) {
      const { store, facts } = partsOf();
      return await upcoming(store, query, await facts.listPauses());
    },
    getSchedule: (id) => findSchedule(id, partsOf().store),
    listSchedules: (query, page) => partsOf().store.listSchedules(query, page),
    explain: timeline.explain,
    forecast: timeline.forecast,
    calendar: timeline.calendar,
    lookupTimeline: timeline.lookupTimeline,
    follow: (query, options = {}) => follow(query, options, partsOf()),
    listPauses: () => partsOf().facts.listPauses(),
    blockOf: (instance) => partsOf().facts.blockOf(instance),
    unservedKinds: (kinds) => partsOf().facts.unservedKinds(kinds),
    processesOf: (ids) => partsOf().facts.processesOf(ids),
    kindsOfTag: (...args) => partsOf().facts.kindsOfTag(...args),
  };
}
