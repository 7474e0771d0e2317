import { JobError } from "../../../core/errors.ts";
import type { StoreMark } from "../../records.ts";
import { QuotaError } from "../../ledger/checks.ts";
import { newerFormat } from "../../newer_format.ts";
import { STORE_FORMAT } from "../../store.ts";
import { notARun, openRunsError } from "../../ledger/operations/external_runs.ts";
import {
  markedError,
  memoChangedError,
  nodeForgottenError,
  nodeGoneError,
  nodeLiveError,
  nodesFullError,
  noNodeError,
  noScheduleError,
  redriveError,
  runsError,
  takenError,
  waitingError,
} from "../../ledger/refusals.ts";

/**
 * The refusal of data of a newer format.
 *
 * @param location of the store; null once open
 * @param about its format, and its version or false
 */
export function newerData(location: string | null, about: readonly unknown[]): JobError {
  const [format, madeBy] = about as readonly [number, unknown];
  const what = location === null ? "Cannot use the store" : `Cannot open the store ${location}`;
  const facts = { what, format, known: STORE_FORMAT, madeBy };
  return newerFormat(facts, "unavailable", "store.url");
}

/** The details of a refusal; most have fewer. */
type Details = readonly [string, string, string, string, string];

const REFUSALS: Readonly<Record<string, (about: Details) => JobError>> = {
  taken: ([what, value, kind, id, there]) => {
    const name = what === "id" ? "id" : "unique key";
    return takenError({ what: name, value, kind, holder: { id, kind: there } });
  },
  runs: ([id, kind]) => runsError(id, kind),
  full: ([kind, count]) => waitingError(kind, Number(count)),
  notARun: ([id]) => notARun(id),
  openRuns: ([kind]) => openRunsError(kind),
  idTaken: ([id]) => redriveError(id, "its id is taken"),
  memoChanged: ([key]) => memoChangedError(key),
  noSchedule: ([id]) => noScheduleError(id),
  marked: ([action, mark]) => markedError(phraseOf(action), JSON.parse(mark) as StoreMark),
  memoryFull: () =>
    new QuotaError(
      "Cannot add to the store: the server's memory is full",
      "Raise maxmemory, or keep less: defaults.keep",
    ),
  outdated: () =>
    new JobError("conflict", "Cannot change a schedule: others keep changing it", {
      hint: "Try again",
    }),
  nodeLive: ([id, holder]) => nodeLiveError(id, JSON.parse(holder)),
  nodesFull: ([id, count]) => nodesFullError(id, Number(count)),
  nodeForgotten: ([id]) => nodeForgottenError(id),
  nodeGone: ([id, holder]) => nodeGoneError(id, holder ? JSON.parse(holder) : null),
  noNode: ([id, live]) => noNodeError(id, live as unknown as readonly string[]),
};

/** The error for a refusal of the script: its name, then its details. */
export function refusalError([name, ...about]: readonly unknown[]): JobError {
  const errorOf = REFUSALS[name as string];
  if (errorOf) return errorOf(about as unknown as Details);
  return new JobError("internal", `Cannot use the store: it refused with "${name}"`);
}

/** Names of actions for messages, if they differ from their names in the script. */
const ACTIONS: Readonly<Record<string, string>> = {
  enqueueRuns: "enqueue",
  putSchedule: "write a schedule",
  deleteSchedule: "delete a schedule",
  setPause: "pause",
  removePause: "resume",
  putSteps: "record steps",
  signal: "send a signal",
  appendLogs: "append logs",
  recordRuns: "record a run",
  removeInstances: "delete instances",
  removeLines: "delete logs",
  correctTimes: "correct times",
  retain: "delete instances",
  listMemos: "list memos",
  putMemo: "write a memo",
  addNews: "add news",
  removeMemos: "delete memos",
  joinNode: "join",
  reportNode: "report",
  leaveNode: "leave",
  setNodeWorkers: "resize",
  scan: "list instances",
  get: "get an instance",
  findIds: "find an instance",
  historyOf: "list history",
  stats: "count instances",
  readLines: "list logs",
  countSpans: "count instances",
  listLater: "list waiting instances",
  listGaps: "list ticks without a run",
  getSchedules: "get a schedule",
  listSchedules: "list schedules",
  dueSchedules: "list due schedules",
  nextSchedules: "look for what is due next",
  laterInstances: "look for what is due next",
  listTicks: "list fates",
  listPauses: "list pauses",
  listNodes: "list nodes",
  nextDue: "look for what is due",
  blockOf: "look for what blocks an instance",
  blocks: "look for what is blocked",
  headRecord: "read records",
  tickSchedules: "read records",
  listRates: "read records",
  writeRecords: "write records",
  removeRecords: "remove records",
  getMark: "read the store's mark",
  setMark: "mark the store",
  checkRows: "look for problems",
  checkCounts: "look for problems",
};

/** An action in words, for messages: "write a schedule". */
export function phraseOf(action: string): string {
  return ACTIONS[action] ?? action;
}

/** The error of a server without this node's data. */
export function otherData(): JobError {
  return new JobError(
    "unavailable",
    "Cannot use the server: it has other data than when this node joined, or none",
    { hint: "Restart the daemon; a server that lost its data has none of the accepted jobs" },
  );
}
