import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { runJobctl, type RunOptions, type RunResult } from "../processes/daemon.ts";

/** A finding as `-o json` has it. */
export interface Found {
  readonly subject: string;
  readonly level: string;
  readonly text: string;
  readonly remedy?: string;
}

/** What a run of the doctor gave. */
export interface Diagnosis extends RunResult {
  readonly findings: readonly Found[];
  readonly ms: number;
}

/** Generous: the machine of a test runs others beside it. */
const MS_MAX = 15_000;
/** A check that had too little time, as on a busy machine. */
const TOO_LATE = /no answer within \d+ ms|it took more than \d+ ms/;
/** Most runs until each check has had time enough. */
const TRIES_MAX = 20;

/** Run the compiled `jobctl doctor -o json` in a folder. It must be over in time. */
export async function doctor(
  cwd: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<Diagnosis> {
  const start = performance.now();
  const run = await runJobctl(["doctor", "-o", "json", ...args], {
    cwd,
    ...options,
    // This machine may have a daemon of its own.
    env: {
      ...{ JOBCTL_PORT: "1", JOBCTL_SERVER_PORT: "0", JOBCTL_SERVER_HTTP: "" },
      ...{ HOME: cwd, XDG_STATE_HOME: undefined, ...options.env },
    },
  });
  const ms = performance.now() - start;
  assert.ok(ms < MS_MAX, `it took ${Math.round(ms)} ms`);
  assert.equal(run.stderr, "");
  return { ...run, ms, findings: JSON.parse(run.stdout).findings };
}

/** Like {@link doctor}, of what answers in time: again if a check had too little of it. */
export async function doctorInTime(...args: Parameters<typeof doctor>): Promise<Diagnosis> {
  for (let tries = 1;; tries++) {
    const run = await doctor(...args);
    const isInTime = !run.findings.some(({ text }) => TOO_LATE.test(text));
    if (isInTime || tries === TRIES_MAX) return run;
  }
}

/** The only finding of a subject that matches. */
export function findingOf(
  { findings }: Pick<Diagnosis, "findings">,
  subject: string,
  text: RegExp,
): Found {
  const found = findings.filter((each) => each.subject === subject && text.test(each.text));
  const all = findings.map((each) => `${each.level} ${each.subject}: ${each.text}`).join("\n");
  assert.equal(found.length, 1, `${subject} ${text} in:\n${all}`);
  return found[0]!;
}

/** True if no finding of a subject matches. */
export function hasNone(
  { findings }: Pick<Diagnosis, "findings">,
  subject: string,
  text: RegExp,
): boolean {
  return !findings.some((each) => each.subject === subject && text.test(each.text));
}

/** Execute a remedy as a person would; `sudo` and `jobctl` are found, too. */
export function mend(remedy: string, jobctl: string): void {
  const script = `sudo() { "$@"; }\njobctl() { '${jobctl}' "$@"; }\n${remedy}`;
  const { status, stderr } = spawnSync("sh", ["-c", script], { encoding: "utf8" });
  assert.equal(status, 0, `${remedy}: ${stderr}`);
}

/** Names, sizes, modes and times of everything in a folder. */
export function stateOfFolder(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).sort().map((name) => {
    const { size, mode, mtimeMs, ino } = statSync(join(folder, name));
    return [name, size, mode, mtimeMs, ino].join(" ");
  });
}
