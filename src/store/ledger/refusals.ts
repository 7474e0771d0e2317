import { JobError } from "../../core/errors.ts";
import { didYouMean } from "../../core/text/nearest.ts";
import { NODE_ID_PATH, type NodeReport } from "../nodes.ts";
import type { StoreMark } from "../records.ts";
import { configOf, placeOf } from "../../core/settings/store_address.ts";
import type { PutSchedule } from "../store.ts";
import { QuotaError } from "./checks.ts";

/** Refusals that depend on the store's content, in the same words for every store. */

/** The value that a new instance shares with an existing one. */
export interface Taken {
  readonly what: "id" | "unique key";
  readonly value: string | null;
  readonly kind: string;
  /** The existing instance. */
  readonly holder: { readonly id: string; readonly kind: string };
}

/** An instance of another kind, or with other arguments, has the id or unique key. */
export function takenError({ what, value, kind, holder }: Taken): JobError {
  const difference = kind === holder.kind ? "other arguments" : `kind "${holder.kind}"`;
  return new JobError(
    "already_exists",
    `Cannot enqueue "${kind}" with ${what} "${value}": it is taken by instance ${holder.id} with ${difference}`,
    { path: what === "id" ? "id" : "uniqueKey", hint: `Choose another ${what}` },
  );
}

/** The instance to replace is running. */
export function runsError(id: string, kind: string): JobError {
  return new JobError("conflict", `Cannot replace instance ${id} of job "${kind}": it is running`, {
    path: "uniqueKey",
    hint: "Schedule it again when that instance has ended, or cancel that instance first",
  });
}

/** The most instances of a kind are waiting. */
export function waitingError(kind: string, count: number): QuotaError {
  return new QuotaError(
    `Cannot schedule job "${kind}": ${count} of its instances are already waiting`,
    "Try again later, or raise the job's waiting_max",
  );
}

/** An instance that cannot be accepted in place of another. */
export function redriveError(id: string, problem: string): JobError {
  return new JobError("invalid_argument", `Cannot redrive as instance "${id}": ${problem}`, {
    path: "retryOf",
  });
}

/** Past ticks of an unknown schedule. */
export function noScheduleError(id: string): JobError {
  return new JobError("not_found", `Cannot backfill schedule "${id}": no such schedule`);
}

/** The memo's version has changed since it was read. */
export function memoChangedError(key: string): JobError {
  return new JobError("conflict", `Cannot write memo "${key}": it has changed`, {
    path: "expectedVersion",
    hint: "Read it and try again",
  });
}

/** The schedule is not the expected one. @param stored its generation; null if missing */
export function generationError(
  { record, expectedGeneration, expectedCursor }: PutSchedule,
  stored: number | null,
): JobError {
  const isMoved = expectedCursor !== undefined && stored === expectedGeneration;
  const found = stored === null ? "there is none" : `generation ${stored} is stored`;
  const wanted = expectedGeneration === null
    ? "none was expected"
    : `${expectedGeneration} was expected${isMoved ? " with another cursor" : ""}`;
  return new JobError("conflict", `Cannot write schedule "${record.id}": ${found}, ${wanted}`, {
    hint: "Read the schedule again and repeat the change",
  });
}

/** The store's mark forbids the operation. */
export function markedError(action: string, mark: StoreMark): JobError {
  const to = mark.type === "receiving" ? mark.from : placeOf(mark);
  const what = mark.type === "moved" ? "moved" : "moves";
  return new JobError("unavailable", `Cannot ${action}: the store ${what} to ${to}`, {
    hint: mark.type === "moved"
      ? `Write ${configOf(mark)} in the configuration and start the daemon again`
      : "Try again when it has moved",
  });
}

type Holder = Pick<NodeReport, "host" | "pid">;

function daemonOf({ host, pid }: Holder): string {
  return `the daemon with pid ${pid} on host "${host}"`;
}

/** A live daemon uses the node id. */
export function nodeLiveError(id: string, holder: Holder): JobError {
  return new JobError("conflict", `Cannot join as node "${id}": ${daemonOf(holder)} has that id`, {
    path: NODE_ID_PATH,
    hint:
      'Give each daemon a node.id of its own (in the library the option "node"), or stop the other one',
  });
}

/** The store has the most nodes allowed. */
export function nodesFullError(id: string, count: number): QuotaError {
  return new QuotaError(
    `Cannot join as node "${id}": the store has ${count} nodes`,
    "Wait: a node is forgotten an hour after its end",
  );
}

/** The reporting node has been gone for too long. */
export function nodeForgottenError(id: string): JobError {
  return new JobError("not_found", `Cannot report as node "${id}": it is not known any more`);
}

/** The reporting session has ended. @param holder the session that took its id; null if it left */
export function nodeGoneError(id: string, holder: Holder | null): JobError {
  const now = holder ? `${daemonOf(holder)} took its id` : "it has left";
  return new JobError("conflict", `Cannot report as node "${id}": ${now}`, {
    path: NODE_ID_PATH,
    hint: "Give each daemon a node.id of its own",
  });
}

/** The node to resize is not live. @param live ids of the live ones */
export function noNodeError(id: string, live: readonly string[]): JobError {
  return new JobError("not_found", `Cannot resize node "${id}": no live node has that id`, {
    hint: didYouMean(id, live) ?? `Live nodes: ${live.toSorted().join(", ") || "none"}`,
  });
}
