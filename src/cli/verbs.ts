import type { Verb, VerbGroup } from "./verb.ts";
import { CANCEL } from "./verbs/instances/cancel.ts";
import { COMPLETION } from "./verbs/daemon/completion.ts";
import { CHECK } from "./verbs/daemon/check.ts";
import { DESCRIBE } from "./verbs/instances/describe.ts";
import { DOCS } from "./verbs/daemon/docs.ts";
import { DOCTOR } from "./verbs/daemon/doctor.ts";
import { EXPORT } from "./verbs/daemon/export.ts";
import { EXPLAIN } from "./verbs/instances/explain.ts";
import { GET } from "./verbs/instances/get.ts";
import { EXEC } from "./verbs/instances/exec.ts";
import { HEALTHCHECK } from "./verbs/daemon/healthcheck.ts";
import { IMPORT } from "./verbs/daemon/import.ts";
import { INIT } from "./verbs/daemon/init.ts";
import { INSTALL_SERVICE, UNINSTALL_SERVICE } from "./verbs/daemon/install_service.ts";
import { LIST } from "./verbs/instances/list.ts";
import { HISTORY, LOGS } from "./verbs/instances/logs.ts";
import { NEXT } from "./verbs/schedules/next.ts";
import { PAUSE, RESUME } from "./verbs/schedules/pause.ts";
import { BACKFILL, RUN, SKIP } from "./verbs/schedules/recurring.ts";
import { REDRIVE, RETRY } from "./verbs/instances/redrive.ts";
import { ACK, INCIDENTS } from "./verbs/notices/incidents.ts";
import { NOTICES } from "./verbs/notices/notices.ts";
import { SILENCE } from "./verbs/notices/silence.ts";
import { RELOAD } from "./verbs/daemon/reload.ts";
import { SCHEDULE } from "./verbs/instances/schedule.ts";
import { SERVE } from "./verbs/daemon/serve.ts";
import { SIMULATE } from "./verbs/schedules/simulate.ts";
import { SELFTEST } from "./verbs/daemon/selftest.ts";
import { STORE } from "./verbs/daemon/store.ts";
import { STOP } from "./verbs/daemon/stop.ts";
import { STATUS } from "./verbs/daemon/status.ts";
import { OPEN } from "./verbs/daemon/open.ts";
import { SESSIONS } from "./verbs/daemon/sessions.ts";
import { TOP } from "./verbs/daemon/top.ts";
import { TOKEN } from "./verbs/daemon/token.ts";
import { DELETE, UPDATE } from "./verbs/schedules/update.ts";
import { VERIFY } from "./verbs/daemon/verify.ts";
import { SHOW_VERSION } from "./verbs/daemon/version.ts";
import { WRAP } from "./verbs/instances/wrap.ts";
import { WORKERS } from "./verbs/daemon/workers.ts";

/** Every verb, in the order of the help. */
export const VERBS: readonly (Verb | VerbGroup)[] = [
  SERVE,
  CHECK,
  INIT,
  NEXT,
  SIMULATE,
  IMPORT,
  EXPORT,
  STATUS,
  TOP,
  HEALTHCHECK,
  DOCTOR,
  RELOAD,
  STOP,
  INSTALL_SERVICE,
  UNINSTALL_SERVICE,
  EXEC,
  WRAP,
  SCHEDULE,
  RUN,
  LIST,
  GET,
  DESCRIBE,
  EXPLAIN,
  LOGS,
  HISTORY,
  CANCEL,
  RETRY,
  REDRIVE,
  PAUSE,
  RESUME,
  SKIP,
  BACKFILL,
  INCIDENTS,
  ACK,
  SILENCE,
  NOTICES,
  UPDATE,
  DELETE,
  WORKERS,
  STORE,
  TOKEN,
  OPEN,
  SESSIONS,
  SELFTEST,
  VERIFY,
  DOCS,
  COMPLETION,
  SHOW_VERSION,
];
