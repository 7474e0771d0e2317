// The processor time of processes. Plain Node 20.
import { readdirSync, readFileSync } from "node:fs";

/** Linux counts processor time in hundredths of a second, with any kernel clock. */
const TICKS_A_SECOND = 100;

/**
 * Processor time of a process and its descendants, in seconds: of running ones, and of ended ones
 * whose parents have noticed it.
 *
 * @returns null without Linux's /proc, and for a process that has ended
 */
export function processorSeconds(pid) {
  try {
    // Fields after the name, which may have blanks and brackets.
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /s, "").split(" ");
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return childrenOf(pid).reduce(
      (sum, child) => sum + (processorSeconds(child) ?? 0),
      ticks / TICKS_A_SECOND,
    );
  } catch {
    return null;
  }
}

/** Each thread has a separate list. */
function childrenOf(pid) {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1").split(" ").filter(Boolean)
  );
}
