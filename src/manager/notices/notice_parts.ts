// Separate, because it is loaded late, with all its imports.
import { ExpectationWatcher } from "../../notices/expectations/watcher.ts";
import { Notices } from "../../notices/notices.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import type { NoticeParts } from "./lazy_notices.ts";
import type { ManagerSettings } from "../context/manager_options.ts";
import { DaemonNotices } from "./daemon_notices.ts";
import type { Peers } from "../nodes/peers.ts";
import type { PartContext } from "../context/part_context.ts";

/** Dependencies of the parts that notify people. */
export interface NoticePartsContext extends PartContext {
  readonly options: ManagerSettings;
  readonly dispatcher: Dispatcher;
  readonly peers: Peers;
}

/** Make the parts that notify people; nothing runs yet. */
export function buildNoticeParts(context: NoticePartsContext): NoticeParts {
  const { options, dispatcher, peers, registry, events, storeHealth } = context;
  const expectations = new ExpectationWatcher({
    ...context,
    jobs: registry,
    workers: dispatcher,
    subscribe: (listener) => events.subscribe(listener),
  });
  const { channels = [], host = "" } = options.notices ?? {};
  const notices = new Notices({
    ...context,
    channels,
    host,
    timezone: options.scheduleDefaults.timezone,
    findJob: (kind) => registry.find(kind),
    isShort: (instance) => expectations.isShort(instance),
    hasExpectations: () => registry.hasExpectations,
  });
  const isShared = options.nodeLeaseMs === undefined;
  const listenerProblems = () => options.listenerProblems?.() ?? [];
  const daemon = new DaemonNotices({ ...context, notices, peers, isShared, listenerProblems });
  if (storeHealth.problem !== null) daemon.storeAway(storeHealth.problem, storeHealth.isCertain);
  storeHealth.onChange = (problem, isCertain) => daemon.storeAway(problem, isCertain);
  return { notices, expectations, daemon };
}
