import { JobError } from "../core/errors.ts";
import type { Clock } from "../platform/clock.ts";
import type { InstanceQuery } from "../store/store.ts";
import type { ManagerApi } from "./api.ts";

/** How long a request waits for the store, in milliseconds: clients get an answer within 5 s. */
const ANSWER_MS = 4_000;
/** How long it waits after one has waited in vain, until the store responds again. */
const AWAY_MS = 500;

/**
 * The manager for requests from outside. A request that takes a call or two of the store is refused
 * as `unavailable` in time if the store is slow; the manager itself keeps waiting, so the request
 * may still take effect. One that passes through many instances takes as long as it takes.
 *
 * @param location of the store, without secrets
 */
export function answerInTime(manager: ManagerApi, clock: Clock, location: string): ManagerApi {
  let isAway = false;
  const inTime = <T>(answer: Promise<T>): Promise<T> => {
    const waitMs = isAway ? AWAY_MS : ANSWER_MS;
    answer.then(() => isAway = false, () => {});
    return new Promise((resolve, reject) => {
      const timer = clock.timer(waitMs, () => {
        isAway = true;
        const message = `Cannot reach ${location}: no response within ${waitMs} ms`;
        const hint =
          "It is slow or unreachable; the request may have been carried out, or may still be: " +
          "with the same UUID it is carried out once";
        reject(new JobError("unavailable", message, { hint }));
      }, { unref: true });
      answer.then(resolve, reject).finally(() => timer.cancel());
    });
  };
  const ifForOne = <T>({ ids, idPrefix }: InstanceQuery, answer: Promise<T>) =>
    ids?.length === 1 || idPrefix !== undefined ? inTime(answer) : answer;
  return {
    ...{ version: manager.version, sessions: sessionsInTime(manager.sessions, inTime) },
    ...{ siteUrl: () => manager.siteUrl(), listJobs: () => manager.listJobs() },
    getJob: (kind) => manager.getJob(kind),
    scheduleJob: (...args) => inTime(manager.scheduleJob(...args)),
    scheduleBatch: (...args) => inTime(manager.scheduleBatch(...args)),
    previewJob: (...args) => manager.previewJob(...args),
    scheduleRecurring: (...args) => inTime(manager.scheduleRecurring(...args)),
    listSchedules: (...args) => inTime(manager.listSchedules(...args)),
    getSchedule: (id) => inTime(manager.getSchedule(id)),
    updateSchedule: (...args) => inTime(manager.updateSchedule(...args)),
    deleteSchedule: (id) => inTime(manager.deleteSchedule(id)),
    runSchedule: (target) => inTime(manager.runSchedule(target)),
    skipTicks: (...args) => inTime(manager.skipTicks(...args)),
    backfill: (request) => manager.backfill(request),
    explain: (query) => inTime(manager.explain(query)),
    forecast: (query) => inTime(manager.forecast(query)),
    calendar: (query) => inTime(manager.calendar(query)),
    lookupTimeline: (query) => inTime(manager.lookupTimeline(query)),
    reportRun: (...args) => inTime(manager.reportRun(...args)),
    ping: (...args) => inTime(manager.ping(...args)),
    ...{ hooks: () => manager.hooks(), workers: () => manager.workers() },
    deliver: (...args) => inTime(manager.deliver(...args)),
    pingKeys: (kind) => inTime(manager.pingKeys(kind)),
    pingKeyHashes: () => inTime(manager.pingKeyHashes()),
    getInstance: (...args) => inTime(manager.getInstance(...args)),
    blockOf: (instance) => inTime(manager.blockOf(instance)),
    lookupInstances: (...args) => inTime(manager.lookupInstances(...args)),
    countUpTo: (...args) => manager.countUpTo(...args),
    jobStats: (query) => inTime(manager.jobStats(query)),
    upcoming: (query) => inTime(manager.upcoming(query)),
    lookupInstanceHistory: (...args) => inTime(manager.lookupInstanceHistory(...args)),
    lookupInstanceLogs: (...args) => inTime(manager.lookupInstanceLogs(...args)),
    cancelInstances: (...args) => ifForOne(args[0], manager.cancelInstances(...args)),
    freezeInstance: (...args) => inTime(manager.freezeInstance(...args)),
    retryInstance: (...args) => inTime(manager.retryInstance(...args)),
    redriveInstances: (...args) => ifForOne(args[0], manager.redriveInstances(...args)),
    clearInstanceHistory: (...args) => manager.clearInstanceHistory(...args),
    clearInstanceLogs: (...args) => manager.clearInstanceLogs(...args),
    kindsOfTag: (...args) => manager.kindsOfTag(...args),
    unservedKinds: (kinds) => inTime(manager.unservedKinds(kinds)),
    processesOf: (ids) => manager.processesOf(ids),
    listNodes: () => inTime(manager.listNodes()),
    resizeNode: (...args) => inTime(manager.resizeNode(...args)),
    resizeWorkers: (count) => manager.resizeWorkers(count),
    pause: (...args) => inTime(manager.pause(...args)),
    resume: (kind) => inTime(manager.resume(kind)),
    listPauses: () => inTime(manager.listPauses()),
    listIncidents: (...args) => inTime(manager.listIncidents(...args)),
    acknowledgeIncident: (...args) => inTime(manager.acknowledgeIncident(...args)),
    silence: (...args) => inTime(manager.silence(...args)),
    removeSilence: (kind) => inTime(manager.removeSilence(kind)),
    listSilences: () => inTime(manager.listSilences()),
    listChannels: () => manager.listChannels(),
    testNotice: (...args) => manager.testNotice(...args),
    status: () => inTime(manager.status()),
    waitInstance: (...args) => manager.waitInstance(...args),
    follow: (...args) => manager.follow(...args),
    reloadConfig: (options) => manager.reloadConfig(options),
    daemon: manager.daemon,
    config: () => manager.config(),
    storeContent: () => inTime(manager.storeContent()),
    workOnStore: (...args) => manager.workOnStore(...args),
    subscribe: (listener) => manager.subscribe(listener),
  };
}

function sessionsInTime(
  sessions: ManagerApi["sessions"],
  inTime: <T>(answer: Promise<T>) => Promise<T>,
): ManagerApi["sessions"] {
  return {
    createCode: (...args) => inTime(sessions.createCode(...args)),
    waitingCodes: () => inTime(sessions.waitingCodes()),
    redeemCode: (code) => inTime(sessions.redeemCode(code)),
    open: (...args) => inTime(sessions.open(...args)),
    use: (...args) => inTime(sessions.use(...args)),
    list: (proof) => inTime(sessions.list(proof)),
    revoke: (...args) => inTime(sessions.revoke(...args)),
  };
}
