import type { JobInstance } from "../../rpc/gen/job_pb.ts";
import type { Cell, Style } from "../output/table.ts";
import { parseState, stateWord } from "../../core/state.ts";
import { stateName } from "../io/wire.ts";

const STYLES: Readonly<Record<string, Style>> = { done: "good", canceled: "warn" };

/** Reasons in everyday words. Reasons that the state implies are empty. */
const REASONS: Readonly<Record<string, string>> = {
  ok: "",
  error: "",
  canceled: "",
  lost: "crashed",
  drained: "daemon stopped",
  discarded: "gave up",
  limit: "over a limit",
  unserved: "no node",
};

/** Why an instance waits for another attempt without a failure. */
const PUT_OFF: Readonly<Record<string, string>> = {
  snoozed: "snoozed",
  queued: "previous run",
  // Attempts that a drain did not wait for.
  released: "daemon stopped",
};

/** Reasons that are themselves the state of an instance that never ran. */
const NEVER_RAN = /^(missed|skipped)(:|$)/;

/** An instance, or an entry of its history, whose state is put into words. */
export type Stated =
  & Pick<JobInstance, "state" | "reason">
  & Partial<
    Pick<
      JobInstance,
      | "errorDetail"
      | "progress"
      | "blockedBy"
      | "failures"
      | "cancelRequestedAt"
      | "frozenAt"
      | "waits"
    >
  >;

/** The state of an instance in everyday words, with the reason: `failed: exit 3`. */
export function stateCell(instance: Stated): Cell {
  const state = parseState(stateName(instance.state) ?? "");
  const word = state === null ? "unknown" : stateWord(state);
  const reason = instance.reason ?? "";
  const neverRan = NEVER_RAN.exec(reason);
  if (neverRan) return { text: neverRan[1]!, style: "warn" };
  switch (word) {
    case "waiting":
      return waitingCell(instance, reason);
    case "running":
      return { text: runningText(instance), style: "active" };
    case "failed":
      return failedCell(instance);
    default:
      return { text: joined(word, REASONS[reason] ?? reason), style: STYLES[word] };
  }
}

function joined(word: string, reason: string): string {
  return reason === "" ? word : `${word}: ${reason}`;
}

/** The state of an instance or attempt that failed: `failed: timeout`. */
export function failedCell({ reason = "", errorDetail }: Omit<Stated, "state">): Cell {
  const { exitCode, signal } = errorDetail ?? {};
  const isError = reason === "" || reason === "error";
  const end = signal ?? (exitCode === undefined ? "" : `exit ${exitCode}`);
  return { text: joined("failed", isError ? end : REASONS[reason] ?? reason), style: "bad" };
}

function waitingCell(stated: Stated, reason: string): Cell {
  const { blockedBy, failures, waits, cancelRequestedAt } = stated;
  if (blockedBy?.limit === "node") return { text: "waiting: no node", style: "warn" };
  if (reason === "") return { text: "waiting" };
  const putOff = PUT_OFF[reason];
  if (putOff !== undefined) return { text: `waiting: ${putOff}` };
  if (waits?.some(({ type }) => type === "undo")) return { text: "undo failed", style: "bad" };
  if (cancelRequestedAt !== undefined) return { text: "canceling", style: "warn" };
  if (reason === "parked") return { text: "parked" };
  if (reason === "unwinding") return { text: reason, style: "warn" };
  if (reason === "lost") return { text: "waiting: crashed", style: "warn" };
  return { text: failures ? `waiting: retry ${failures}` : "waiting: retry", style: "warn" };
}

function runningText({ progress, cancelRequestedAt, frozenAt }: Stated): string {
  if (cancelRequestedAt !== undefined) return "running: canceling";
  if (frozenAt !== undefined) return "running: frozen";
  const { done = 0, total = 0 } = progress ?? {};
  return total > 0 ? `running ${Math.floor(done / total * 100)}%` : "running";
}
