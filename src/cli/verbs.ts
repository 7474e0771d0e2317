import type { Verb, VerbGroup } from "./verb/verb.ts";

type Load = () => Promise<Verb | VerbGroup>;

/**
 * Every verb by its name, in the order of the help. A command line loads only its own: all of them
 * together take longer than the call to the daemon.
 */
const LOADS: Readonly<Record<string, Load>> = {
  serve: async () => (await import("./verbs/daemon/serve.ts")).SERVE,
  check: async () => (await import("./verbs/offline/check.ts")).CHECK,
  init: async () => (await import("./verbs/offline/init.ts")).INIT,
  next: async () => (await import("./verbs/offline/next.ts")).NEXT,
  simulate: async () => (await import("./verbs/offline/simulate.ts")).SIMULATE,
  import: async () => (await import("./verbs/offline/import.ts")).IMPORT,
  export: async () => (await import("./verbs/offline/export.ts")).EXPORT,
  status: async () => (await import("./verbs/daemon/status.ts")).STATUS,
  top: async () => (await import("./verbs/look/top.ts")).TOP,
  healthcheck: async () => (await import("./verbs/daemon/healthcheck.ts")).HEALTHCHECK,
  doctor: async () => (await import("./verbs/machine/doctor.ts")).DOCTOR,
  reload: async () => (await import("./verbs/daemon/reload.ts")).RELOAD,
  stop: async () => (await import("./verbs/daemon/stop.ts")).STOP,
  "upgrade-daemon": async () => (await import("./verbs/daemon/upgrade_daemon.ts")).UPGRADE_DAEMON,
  "install-service": async () =>
    (await import("./verbs/machine/install_service.ts")).INSTALL_SERVICE,
  "uninstall-service": async () =>
    (await import("./verbs/machine/install_service.ts")).UNINSTALL_SERVICE,
  exec: async () => (await import("./verbs/run/exec.ts")).EXEC,
  wrap: async () => (await import("./verbs/run/wrap.ts")).WRAP,
  schedule: async () => (await import("./verbs/run/schedule.ts")).SCHEDULE,
  run: async () => (await import("./verbs/run/run.ts")).RUN,
  list: async () => (await import("./verbs/look/list.ts")).LIST,
  get: async () => (await import("./verbs/look/get.ts")).GET,
  describe: async () => (await import("./verbs/look/describe.ts")).DESCRIBE,
  explain: async () => (await import("./verbs/look/explain.ts")).EXPLAIN,
  logs: async () => (await import("./verbs/look/logs.ts")).LOGS,
  history: async () => (await import("./verbs/look/logs.ts")).HISTORY,
  cancel: async () => (await import("./verbs/change/cancel.ts")).CANCEL,
  retry: async () => (await import("./verbs/run/retry.ts")).RETRY,
  signal: async () => (await import("./verbs/run/signal.ts")).SIGNAL,
  approve: async () => (await import("./verbs/run/signal.ts")).APPROVE,
  reject: async () => (await import("./verbs/run/signal.ts")).REJECT,
  undo: async () => (await import("./verbs/run/undo.ts")).UNDO,
  redrive: async () => (await import("./verbs/run/redrive.ts")).REDRIVE,
  pause: async () => (await import("./verbs/change/pause.ts")).PAUSE,
  resume: async () => (await import("./verbs/change/pause.ts")).RESUME,
  skip: async () => (await import("./verbs/change/skip.ts")).SKIP,
  backfill: async () => (await import("./verbs/run/backfill.ts")).BACKFILL,
  incidents: async () => (await import("./verbs/look/incidents.ts")).INCIDENTS,
  ack: async () => (await import("./verbs/change/ack.ts")).ACK,
  silence: async () => (await import("./verbs/change/silence.ts")).SILENCE,
  notices: async () => (await import("./verbs/change/notices.ts")).NOTICES,
  update: async () => (await import("./verbs/change/update.ts")).UPDATE,
  delete: async () => (await import("./verbs/change/update.ts")).DELETE,
  workers: async () => (await import("./verbs/daemon/workers.ts")).WORKERS,
  store: async () => (await import("./verbs/machine/store.ts")).STORE,
  context: async () => (await import("./verbs/access/context.ts")).CONTEXT,
  token: async () => (await import("./verbs/access/token.ts")).TOKEN,
  open: async () => (await import("./verbs/daemon/open.ts")).OPEN,
  sessions: async () => (await import("./verbs/access/sessions.ts")).SESSIONS,
  selftest: async () => (await import("./verbs/machine/selftest.ts")).SELFTEST,
  verify: async () => (await import("./verbs/machine/verify.ts")).VERIFY,
  docs: async () => (await import("./verbs/help/docs.ts")).DOCS,
  completion: async () => (await import("./verbs/help/completion.ts")).COMPLETION,
  version: async () => (await import("./verbs/help/version.ts")).SHOW_VERSION,
};

/** The names of all verbs, in the order of the help. */
export const VERB_NAMES: readonly string[] = Object.keys(LOADS);

/** All verbs, in the order of the help. */
export async function loadVerbs(): Promise<readonly (Verb | VerbGroup)[]> {
  return await Promise.all(Object.values(LOADS).map((load) => load()));
}

/** The verb with a name; null without one. */
export async function loadVerb(name: string): Promise<Verb | VerbGroup | null> {
  return Object.hasOwn(LOADS, name) ? await LOADS[name]!() : null;
}

/** The verbs for a command line: the one named by its first word, or all. */
export async function verbsFor(word: string | undefined): Promise<readonly (Verb | VerbGroup)[]> {
  const verb = word === undefined ? null : await loadVerb(word);
  return verb === null ? await loadVerbs() : [verb];
}
