import type { ErrorInfo, LogEntry } from "../../core/instance.ts";
import { JOB_STATES } from "../../core/state.ts";
import { storable, storableError } from "../ledger/rules.ts";
import type { Settlement } from "../store.ts";
import type { Packer } from "./msgpack.ts";

/** Write how an attempt ended. */
export function writeSettlement(into: Packer, settlement: Settlement, isKnown: boolean): void {
  const { id, fence, logs, version, progress, outcome } = settlement;
  into.list(outcome.type === "final" ? 12 : 10);
  into.write(id);
  into.write(fence);
  into.write(isKnown);
  writeLines(into, logs);
  into.write(version === undefined ? false : storable(version));
  into.write(progress === undefined ? false : JSON.stringify(progress));
  into.write(outcome.type);
  if (outcome.type === "final") {
    into.write(JOB_STATES.indexOf(outcome.state));
    into.write(storable(outcome.reason));
    into.write(errorText(outcome.error));
    into.write(storable(outcome.resultsJson));
    into.write(outcome.isFailure);
    return;
  }
  into.write(Math.ceil(outcome.dueAt));
  into.write(outcome.type === "retry" ? storable(outcome.reason) : false);
  into.write("error" in outcome ? errorText(outcome.error) : false);
}

/** Write lines of a log; false for none. */
export function writeLines(into: Packer, lines: readonly LogEntry[]): void {
  if (lines.length === 0) return into.write(false);
  into.list(lines.length);
  for (const { at, level, message, source } of lines) {
    into.list(4);
    into.write(Math.floor(at));
    into.write(level);
    into.write(storable(message));
    into.write(source);
  }
}

function errorText(error: ErrorInfo | null): string | false {
  return error === null ? false : JSON.stringify(storableError(error));
}
