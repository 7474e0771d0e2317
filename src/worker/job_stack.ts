import { encodeError } from "../core/arguments/encode.ts";
import type { ErrorInfo } from "../core/instance.ts";
import type { SecretMask } from "../core/text/secret_mask.ts";

// Lines of V8 and of JavaScriptCore. In a printed error something may follow the last one:
//
//   at run (file:///srv/jobs/report.ts:3:9)        at async /srv/jobs/report.ts:3:9
//   at <anonymous> (/srv/jobs/report.ts:3:9)       at processTicksAndRejections (native:7:39) {
const FRAME = /^\s+at /;
/** The other members of a printed error, or the next error of a list. */
const NEXT = / \{$|,$/;
/** Code of the runtime; a frame without a place is, too. */
const RUNTIME = /^(?:node:|ext:|bun:|native\b|internal:|\[native code\]|<anonymous>|unknown$|$)/;

/** Where a frame is, with line and column; empty for a line without a place. */
function placeOf(frame: string): string {
  const text = frame.replace(FRAME, "").replace(NEXT, "");
  if (text.endsWith(")")) return text.slice(text.lastIndexOf(" (") + 2, -1);
  return text.replace(/^async /, "");
}

/**
 * The beginning of the places of this program's code in a stack. It depends on the runtime, and on
 * how the program was built, so it is taken from a stack.
 *
 * @returns null if our code is in a file of the user's, as after bundling: its frames cannot be
 *   told from those of jobs
 */
function ownPlaces(): string | null {
  const place = placeOf(
    new Error("here").stack?.split("\n").find((line) => FRAME.test(line)) ?? "",
  );
  const [source] = /^.*(?=worker[/\\]job_stack\.ts:)/.exec(place) ?? [];
  const [built] = /^.*[/\\](?:\$bunfs|~BUN|%7EBUN)[/\\]/.exec(place) ??
    /^.*[/\\]ts-job[/\\](?:.*[/\\])?dist[/\\]/.exec(place) ?? [];
  return source ?? built ?? null;
}

/** Read with the first stack: a program with a map of its sources reads that, too. */
let own: string | null | undefined;

/**
 * Printed text without the frames of stacks that are below the code of the job: those of this
 * program, which called it, and of the runtime. Text without frames of ours is not changed: its
 * stacks may be of another program.
 */
export function endAtJob(text: string): string {
  if (!text.includes("    at ")) return text;
  if (own === undefined) own = ownPlaces();
  return own !== null && text.includes(own) ? endStacks(text, own) : text;
}

/** An error of job code as data, see {@link encodeError}. Its stacks end where that code ends. */
export function encodeJobError(thrown: unknown, mask?: SecretMask): ErrorInfo {
  return encodeError(thrown, mask, endStack);
}

/** @returns undefined for a stack that has only frames of ours: its title says no more */
function endStack(stack: string): string | undefined {
  if (own === undefined) own = ownPlaces();
  if (own === null) return stack;
  const ended = endStacks(stack, own);
  return ended === stack || ended.split("\n").some((line) => FRAME.test(line)) ? ended : undefined;
}

function endStacks(text: string, places: string): string {
  const kept: string[] = [];
  let frames: string[] = [];
  const end = () => {
    const count = framesToKeep(frames, places);
    kept.push(...frames.slice(0, count));
    const next = count < frames.length ? NEXT.exec(frames.at(-1)!)?.[0] : undefined;
    if (next !== undefined && kept.length > 0) kept[kept.length - 1] += next;
    frames = [];
  };
  for (const line of text.split("\n")) {
    if (FRAME.test(line)) {
      frames.push(line);
      continue;
    }
    end();
    kept.push(line);
  }
  end();
  return kept.join("\n");
}

/** How many of these frames, of which the first is the innermost, end with the job's code. */
function framesToKeep(frames: readonly string[], places: string): number {
  const isOwn = (frame: string) => placeOf(frame).startsWith(places);
  const last = frames.findLastIndex((frame) => !isOwn(frame) && !RUNTIME.test(placeOf(frame)));
  if (last >= 0) return last + 1;
  const firstOwn = frames.findIndex(isOwn);
  return firstOwn < 0 ? frames.length : firstOwn;
}
