import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";

/** Wait in real time, for tests of real processes. */
export function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

/** Shortest and longest pause between two looks, in milliseconds. */
const PAUSE_MS_MIN = 20;
const PAUSE_MS_MAX = 250;

/**
 * Look again and again until something is true of another process; fails after `timeoutMs`.
 *
 * A look may start a process: a pause takes twice as long as the look before it, and at least a
 * tenth of the time waited so far.
 */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const begunAt = Date.now();
  for (let lookedAt = begunAt; !(await isTrue()); lookedAt = Date.now()) {
    const waitedMs = Date.now() - begunAt;
    const lookMs = Date.now() - lookedAt;
    if (waitedMs > timeoutMs) assert.fail(`Waited ${timeoutMs} ms in vain: ${what}`);
    await sleep(Math.min(Math.max(PAUSE_MS_MIN, waitedMs / 10, lookMs * 2), PAUSE_MS_MAX));
  }
}

/** Longest wait for progress, in milliseconds. */
const PROGRESS_MS_MAX = 60_000;

/**
 * Wait until nothing is left. Progress counts, not time: a slow machine is no failure.
 *
 * @param stuck the message of the error when there was no progress for a minute
 */
export async function untilNoneLeft(
  left: () => Promise<number>,
  stuck: (left: number) => string | Promise<string>,
): Promise<void> {
  let least = Infinity;
  let leastAt = Date.now();
  for (;;) {
    const count = await left();
    if (count === 0) return;
    if (count < least) leastAt = Date.now();
    least = Math.min(least, count);
    if (Date.now() - leastAt > PROGRESS_MS_MAX) throw new Error(await stuck(count));
    await sleep(100);
  }
}

/** The lines of a file that a job appends to; none while there is no file. */
export function linesOf(file: string): readonly string[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8").split("\n").filter((line) => line !== "");
}
