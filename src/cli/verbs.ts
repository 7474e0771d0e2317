import type { Verb, VerbGroup } from "./verb.ts";

type Load = () => Promise<Verb | VerbGroup>;

/**
 * Every verb by its name, in the order of the help. A command line loads only its own: all of them
 * together take longer than the call to the daemon.
 */
const LOADS: Readonly<Record<string, Load>> = {
  serve: async () => (await import("./verbs/daemon/serve.ts")).SERVE,
  check: async () => (await import("./verbs/daemon/check.ts")).CHECK,
  init: async () => (await import("./verbs/daemon/init.ts")).INIT,
  next: async () => (await import("./verbs/schedules/next.ts")).NEXT,
  simulate: async () => (await import("./verbs/schedules/simulate.ts")).SIMULATE,
  import: async () => (await import("./verbs/daemon/import.ts")).IMPORT,
  export: async () => (await import("./verbs/daemon/export.ts")).EXPORT,
  status: async () => (await import("./verbs/daemon/status.ts")).STATUS,
  top: async () => (await import("./verbs/daemon/top.ts")).TOP,
  healthcheck: async () => (await import("./verbs/daemon/healthcheck.ts")).HEALTHCHECK,
  doctor: async () => (await import("./verbs/daemon/doctor.ts")).DOCTOR,
  reload: async () => (await import("./verbs/daemon/reload.ts")).RELOAD,
  stop: async () => (await import("./verbs/daemon/stop.ts")).STOP,
  "upgrade-daemon": async () => (await import("./verbs/daemon/upgrade_daemon.ts")).UPGRADE_DAEMON,
  "install-service": async () =>
    (await import("./verbs/daemon/install_service.ts")).INSTALL_SERVICE,
  "uninstall-service": async () =>
    (await import("./verbs/daemon/install_service.ts")).UNINSTALL_SERVICE,
  exec: async () => (await import("./verbs/instances/exec.ts")).EXEC,
  wrap: async () => (await import("./verbs/instances/wrap.ts")).WRAP,
  schedule: async () => (await import("./verbs/instances/schedule.ts")).SCHEDULE,
  run: async () => (await import("./verbs/instances/run.ts")).RUN,
  list: async () => (await import("./verbs/instances/list.ts")).LIST,
  get: async () => (await import("./verbs/instances/get.ts")).GET,
  describe: async () => (await import("./verbs/instances/describe.ts")).DESCRIBE,
  explain: async () => (await import("./verbs/instances/explain.ts")).EXPLAIN,
  logs: async () => (await import("./verbs/instances/logs.ts")).LOGS,
  history: async () => (await import("./verbs/instances/logs.ts")).HISTORY,
  cancel: async () => (await import("./verbs/instances/cancel.ts")).CANCEL,
  retry: async () => (await import("./verbs/instances/retry.ts")).RETRY,
  redrive: async () => (await import("./verbs/instances/redrive.ts")).REDRIVE,
  pause: async () => (await import("./verbs/schedules/pause.ts")).PAUSE,
  resume: async () => (await import("./verbs/schedules/pause.ts")).RESUME,
  skip: async () => (await import("./verbs/schedules/recurring.ts")).SKIP,
  backfill: async () => (await import("./verbs/schedules/recurring.ts")).BACKFILL,
  incidents: async () => (await import("./verbs/notices/incidents.ts")).INCIDENTS,
  ack: async () => (await import("./verbs/notices/incidents.ts")).ACK,
  silence: async () => (await import("./verbs/notices/silence.ts")).SILENCE,
  notices: async () => (await import("./verbs/notices/notices.ts")).NOTICES,
  update: async () => (await import("./verbs/schedules/update.ts")).UPDATE,
  delete: async () => (await import("./verbs/schedules/update.ts")).DELETE,
  workers: async () => (await import("./verbs/daemon/workers.ts")).WORKERS,
  store: async () => (await import("./verbs/daemon/store.ts")).STORE,
  context: async () => (await import("./verbs/daemon/context.ts")).CONTEXT,
  token: async () => (await import("./verbs/daemon/token.ts")).TOKEN,
  open: async () => (await import("./verbs/daemon/open.ts")).OPEN,
  sessions: async () => (await import("./verbs/daemon/sessions.ts")).SESSIONS,
  selftest: async () => (await import("./verbs/daemon/selftest.ts")).SELFTEST,
  verify: async () => (await import("./verbs/daemon/verify.ts")).VERIFY,
  docs: async () => (await import("./verbs/daemon/docs.ts")).DOCS,
  completion: async () => (await import("./verbs/daemon/completion.ts")).COMPLETION,
  version: async () => (await import("./verbs/daemon/version.ts")).SHOW_VERSION,
};

/** All verbs, in the order of the help. */
export async function loadVerbs(): Promise<readonly (Verb | VerbGroup)[]> {
  return await Promise.all(Object.values(LOADS).map((load) => load()));
}

/** The verb with a name; null if there is none. */
export async function loadVerb(name: string): Promise<Verb | VerbGroup | null> {
  return Object.hasOwn(LOADS, name) ? await LOADS[name]!() : null;
}

/** The verbs that a command line needs: the one with its first word as name, or all. */
export async function verbsFor(word: string | undefined): Promise<readonly (Verb | VerbGroup)[]> {
  const verb = word === undefined ? null : await loadVerb(word);
  return verb === null ? await loadVerbs() : [verb];
}
