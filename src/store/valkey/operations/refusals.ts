import { JobError } from "../../../core/errors.ts";
import type { StoreMark } from "../../records.ts";
import { QuotaError } from "../../ledger/checks.ts";
import {
  markedError,
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

/** The error for a refusal of the script: its name, then its details. */
export function refusalError(refusal: readonly unknown[]): JobError {
  const [name, ...about] = refusal as readonly string[];
  switch (name) {
    case "taken": {
      const [what, value, kind, id, there] = about as [string, string, string, string, string];
      const name = what === "id" ? "id" : "unique key";
      return takenError({ what: name, value, kind, holder: { id, kind: there } });
    }
    case "runs":
      return runsError(about[0]!, about[1]!);
    case "full":
      return waitingError(about[0]!, Number(about[1]));
    case "idTaken":
      return redriveError(about[0]!, "its id is taken");
    case "noSchedule":
      return noScheduleError(about[0]!);
    case "marked":
      return markedError(phraseOf(about[0]!), JSON.parse(about[1]!) as StoreMark);
    case "memoryFull":
      return new QuotaError(
        "Cannot add to the store: the server's memory is full",
        "Raise maxmemory, or keep less: defaults.keep",
      );
    case "outdated":
      return new JobError("conflict", "Cannot change a schedule: others keep changing it", {
        hint: "Try again",
      });
    default:
      return nodeError(name ?? "", refusal.slice(1));
  }
}

/** Names of actions for messages, if they differ from their names in the script. */
const ACTIONS: Readonly<Record<string, string>> = {
  enqueueRuns: "enqueue",
  putSchedule: "write a schedule",
  deleteSchedule: "delete a schedule",
  setPause: "pause",
  removePause: "resume",
  appendLogs: "append logs",
  removeInstances: "delete instances",
  removeLines: "delete logs",
  correctTimes: "correct times",
  retain: "delete instances",
  joinNode: "join",
  reportNode: "report",
  leaveNode: "leave",
  setNodeWorkers: "resize",
  scan: "list instances",
  get: "get an instance",
  historyOf: "list history",
  stats: "count instances",
  readLines: "list logs",
  getSchedules: "get a schedule",
  listSchedules: "list schedules",
  dueSchedules: "list due schedules",
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

/** What an action does, for messages: "write a schedule". */
export function phraseOf(action: string): string {
  return ACTIONS[action] ?? action;
}

function nodeError(name: string, [node, about]: readonly unknown[]): JobError {
  const id = String(node);
  const holder = () => JSON.parse(String(about)) as { host: string; pid: number };
  switch (name) {
    case "nodeLive":
      return nodeLiveError(id, holder());
    case "nodesFull":
      return nodesFullError(id, Number(about));
    case "nodeForgotten":
      return nodeForgottenError(id);
    case "nodeGone":
      return nodeGoneError(id, about ? holder() : null);
    case "noNode":
      return noNodeError(id, about as readonly string[]);
    default:
      return new JobError("internal", `Cannot use the store: it refused with "${name}"`);
  }
}

/** The error of a server that does not have the data that this node works with. */
export function otherData(): JobError {
  return new JobError(
    "unavailable",
    "Cannot use the server: it has other data than when this node joined, or none",
    { hint: "Restart the daemon; a server that lost its data has none of the accepted jobs" },
  );
}
