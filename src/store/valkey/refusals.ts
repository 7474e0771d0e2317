import { JobError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import type { StoreMark } from "../records.ts";
import { QuotaError } from "../ledger/checks.ts";

/** The error that a refusal of the script is: its name, then what it is about. */
export function refusalError(refusal: readonly unknown[]): JobError {
  const [name, ...about] = refusal as readonly string[];
  switch (name) {
    case "taken":
      return takenError(about);
    case "runs":
      return new JobError(
        "conflict",
        `Cannot replace instance ${about[0]} of job "${about[1]}": it runs`,
        { path: "uniqueKey", hint: "Schedule it again when that has ended, or cancel that first" },
      );
    case "full":
      return new QuotaError(
        `Cannot schedule job "${about[0]}": ${about[1]} of its instances wait already`,
        "Try again later, or raise the job's waiting_max",
      );
    case "idTaken":
      return new JobError(
        "invalid_argument",
        `Cannot redrive as instance "${about[0]}": its id is taken`,
        { path: "retryOf" },
      );
    case "noSchedule":
      return new JobError("not_found", `Cannot backfill schedule "${about[0]}": no such schedule`);
    case "marked":
      return markedError(about[0]!, JSON.parse(about[1]!) as StoreMark);
    case "memoryFull":
      return new QuotaError(
        "Cannot add to the store: the server's memory is full",
        "Raise maxmemory, or keep less: defaults.keep",
      );
    case "outdated":
      return new JobError("conflict", "Cannot change a schedule: others change it all the time", {
        hint: "Try again",
      });
    default:
      return nodeError(name ?? "", refusal.slice(1));
  }
}

/** What operations do, where their name does not say it. */
const ACTIONS: Readonly<Record<string, string>> = {
  putSchedule: "write a schedule",
  deleteSchedule: "delete a schedule",
  setPause: "pause",
  removePause: "resume",
  appendLogs: "append logs",
  removeInstances: "delete instances",
  removeLines: "delete logs",
  retain: "delete instances",
  joinNode: "join",
  reportNode: "report",
  leaveNode: "leave",
  setNodeWorkers: "resize",
};

function markedError(action: string, mark: StoreMark): JobError {
  const to = mark.type === "receiving" ? mark.from : mark.to;
  const what = mark.type === "moved" ? "moved" : "moves";
  return new JobError(
    "unavailable",
    `Cannot ${ACTIONS[action] ?? action}: the store ${what} to ${to}`,
    {
      hint: mark.type === "moved"
        ? `Write store.url = "${to}" in the configuration and start the daemon again`
        : "Try again when it has moved",
    },
  );
}

function takenError([what, value, kind, id, there]: readonly string[]): JobError {
  const name = what === "id" ? "id" : "unique key";
  const difference = kind === there ? "other arguments" : `kind "${there}"`;
  return new JobError(
    "already_exists",
    `Cannot enqueue "${kind}" with ${name} "${value}": it is taken by instance ${id} with ${difference}`,
    { path: what!, hint: `Choose another ${name}` },
  );
}

function nodeError(name: string, [id, about]: readonly unknown[]): JobError {
  const daemon = () => {
    const { host, pid } = JSON.parse(String(about)) as { host: string; pid: number };
    return `the daemon with pid ${pid} on host "${host}"`;
  };
  switch (name) {
    case "nodeLive":
      return new JobError("conflict", `Cannot join as node "${id}": ${daemon()} has that id`, {
        path: "node.id",
        hint: "Give each daemon a node.id of its own, or stop the other one",
      });
    case "nodesFull":
      return new QuotaError(
        `Cannot join as node "${id}": the store has ${about} nodes`,
        "Wait: a node that is gone is forgotten after an hour",
      );
    case "nodeForgotten":
      return new JobError("not_found", `Cannot report as node "${id}": it is forgotten`);
    case "nodeGone":
      return new JobError(
        "conflict",
        `Cannot report as node "${id}": ${about ? `${daemon()} took its id` : "it has left"}`,
        { path: "node.id", hint: "Give each daemon a node.id of its own" },
      );
    case "noNode": {
      const live = (about as readonly string[]).toSorted();
      const near = nearest(String(id), live);
      return new JobError("not_found", `Cannot resize node "${id}": no live node has that id`, {
        hint: near ? `Did you mean "${near}"?` : `Live nodes: ${live.join(", ") || "none"}`,
      });
    }
    default:
      return new JobError("internal", `Cannot use the store: it refused with "${name}"`);
  }
}
