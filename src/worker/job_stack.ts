import { encodeError } from "../core/arguments/encode.ts";
import type { ErrorInfo } from "../core/instance.ts";
import type { SecretMask } from "../core/text/secret_mask.ts";

// Lines of V8 and of JavaScriptCore. In a printed error more text may follow the last one:
//
//   at run (file:///srv/jobs/report.ts:3:9)        at async /srv/jobs/report.ts:3:9 at <anonymous>
// (/srv/jobs/report.ts:3:9)       at processTicksAndRejections (native:7:39) {
const FRAME = /^\s+at /;
/** The other members of a printed error, or the next error of a list. */
const NEXT = / \{$|,$/;
/** Code of the runtime, including frames without a place. */
const RUNTIME = /^(?:node:|ext:|bun:|native\b|internal:|\[native code\]|<anonymous>|unknown$|$)/;

/** Location of a frame, with line and column; empty for a line without one. */
function placeOf(frame: string): string {
  const text = frame.replace(FRAME, "").replace(NEXT, "");
  if (text.endsWith(")")) return text.slice(text.lastIndexOf(" (") + 2, -1);
  return text.replace(/^async /, "");
}

/**
 * Common prefix of the locations of this program's code in a stack. Taken from a live stack, as it
 * depends on the runtime and the build.
 *
 * @returns null if our code is in a user's file, as after bundling: its frames then look like a
 * job's
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

/** Computed with the first stack: a program with a source map reads that, too. */
let own: string | null | undefined;

/**
 * Printed text without the stack frames below the job's code, which belong to this program and the
 * runtime. Text without our frames is not changed: its stacks may be another program's.
 */
export function endAtJob(text: string): string {
  if (!text.includes("    at ")) return text;
  if (own === undefined) own = ownPlaces();
  return own !== null && text.includes(own) ? endStacks(text, own) : text;
}

/** An error of job code as data, see {@link encodeError}. Its stacks end at the job's code. */
export function encodeJobError(thrown: unknown, mask?: SecretMask): ErrorInfo {
  return encodeError(thrown, mask, endStack);
}

/** @returns undefined for a stack of only our frames: its title contains everything */
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
    kept.push(...fromJob(frames.slice(0, count), places));
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

/** Frames without the first ones, if these are of this program: the job's code called it. */
function fromJob(frames: readonly string[], places: string): readonly string[] {
  const isInner = (frame: string) =>
    placeOf(frame).startsWith(places) || RUNTIME.test(placeOf(frame));
  const first = frames.findIndex((frame) => !isInner(frame));
  return first > 0 && placeOf(frames[0]!).startsWith(places) ? frames.slice(first) : frames;
}

/** Number of frames, innermost first, up to the end of the job's code. */
function framesToKeep(frames: readonly string[], places: string): number {
  const isOwn = (frame: string) => placeOf(frame).startsWith(places);
  const last = frames.findLastIndex((frame) => !isOwn(frame) && !RUNTIME.test(placeOf(frame)));
  if (last >= 0) return last + 1;
  const firstOwn = frames.findIndex(isOwn);
  return firstOwn < 0 ? frames.length : firstOwn;
}
