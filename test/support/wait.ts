import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";

/** Wait in real time, for tests of real processes. */
export function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

/** Look again and again until something is true of another process; fails after `timeoutMs`. */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > end) assert.fail(`Waited ${timeoutMs} ms in vain: ${what}`);
    await sleep(20);
  }
}

/** The lines of a file that a job appends to; none while there is no file. */
export function linesOf(file: string): readonly string[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8").split("\n").filter((line) => line !== "");
}
