import type { Verb, VerbGroup } from "./verb.ts";
import { CANCEL } from "./verbs/cancel.ts";
import { CHECK } from "./verbs/check.ts";
import { DELETE } from "./verbs/delete.ts";
import { DESCRIBE } from "./verbs/describe.ts";
import { EXPORT } from "./verbs/export.ts";
import { EXPLAIN } from "./verbs/explain.ts";
import { GET } from "./verbs/get.ts";
import { EXEC } from "./verbs/exec.ts";
import { HISTORY } from "./verbs/history.ts";
import { IMPORT } from "./verbs/import.ts";
import { INIT } from "./verbs/init.ts";
import { LIST } from "./verbs/list.ts";
import { LOGS } from "./verbs/logs.ts";
import { NEXT } from "./verbs/next.ts";
import { PAUSE, RESUME } from "./verbs/pause.ts";
import { BACKFILL, RUN, SKIP } from "./verbs/recurring.ts";
import { REDRIVE } from "./verbs/redrive.ts";
import { RELOAD } from "./verbs/reload.ts";
import { RETRY } from "./verbs/retry.ts";
import { SCHEDULE } from "./verbs/schedule.ts";
import { SERVE } from "./verbs/serve.ts";
import { SIMULATE } from "./verbs/simulate.ts";
import { SELFTEST } from "./verbs/selftest.ts";
import { STORE } from "./verbs/store.ts";
import { STATUS } from "./verbs/status.ts";
import { TOKEN } from "./verbs/token.ts";
import { UPDATE } from "./verbs/update.ts";
import { WORKERS } from "./verbs/workers.ts";

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
  RELOAD,
  EXEC,
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
  UPDATE,
  DELETE,
  WORKERS,
  STORE,
  TOKEN,
  SELFTEST,
];
