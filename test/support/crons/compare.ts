import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../servers/server_process.ts";
import { sleep, until } from "../wait.ts";
import { EXPECTED_RUNS, hostFiles } from "./files.ts";
import type { CronName } from "./packages.ts";
import { type Observed, type RecordedRun, startWorld } from "./world.ts";

/** How a cron and jobctl with its imported crontabs compare. */
export interface Comparison {
  readonly name: CronName;
  /** Runs of the cron itself. */
  readonly runCount: number;
  readonly mailCount: number;
  readonly survivorCount: number;
  /** Each difference in one line; empty when there is none. */
  readonly differences: readonly string[];
  readonly cronLog: string;
  readonly jobctlLog: string;
}

const MINUTE_MS = 60_000;
/** How long daemons may take to start before their first minute. */
const START_MS = 20_000;
/** How long after the last minute runs may still begin; busybox wakes up a second late. */
const LATE_MS = 15_000;
const STARTED_MS_MAX = 20_000;
const QUIET_MS = 2_000;
/** What jobctl adds to the environment of every run. */
const ADDED = /^env JOB(?:CTL)?_\w+=/;
/** Debian's cron sets no USER; here it is the job's, unless the crontab says another. */
const USER = /^env USER=/;

/** A mail about a program named by an option, whose line is left out by the import. */
const LEFT_OUT = /> -nq? /;

/** What jobctl's run shows, without what it has in addition to what a run of cron shows. */
function comparable(ours: RecordedRun, cron: RecordedRun, name: CronName): readonly string[] {
  const hasUser = name !== "debian" || cron.lines.some((line) => USER.test(line));
  return ours.lines.filter((line) => !ADDED.test(line) && (hasUser || !USER.test(line)));
}

/** How often each text is in a list. */
function counts(texts: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const text of texts) found.set(text, (found.get(text) ?? 0) + 1);
  return found;
}

function compareCounts(what: string, cron: readonly string[], ours: readonly string[]): string[] {
  const [a, b] = [counts(cron), counts(ours)];
  const keys = [...new Set([...a.keys(), ...b.keys()])].sort();
  return keys.filter((key) => a.get(key) !== b.get(key)).map((key) =>
    `${what} ${key}: cron ${a.get(key) ?? 0}, jobctl ${b.get(key) ?? 0}`
  );
}

function compareLines(cron: Observed, ours: Observed, name: CronName): string[] {
  const differences: string[] = [];
  const byName = (runs: readonly RecordedRun[]) => new Map(runs.map((run) => [run.name, run]));
  const others = byName(ours.runs);
  for (const [run, first] of byName(cron.runs)) {
    const other = others.get(run);
    if (other === undefined) continue;
    const [a, b] = [first.lines, comparable(other, first, name)];
    for (const line of a) if (!b.includes(line)) differences.push(`${run}: only cron: ${line}`);
    for (const line of b) if (!a.includes(line)) differences.push(`${run}: only jobctl: ${line}`);
  }
  return differences;
}

/** Compare what two worlds show, in the given minutes only. */
function compare(
  name: CronName,
  cron: Observed,
  ours: Observed,
  minutes: readonly string[] | null,
): Comparison {
  const keysOf = (runs: readonly RecordedRun[]) =>
    minutes === null
      ? runs.map((run) => run.name)
      : runs.filter(({ minute }) => minutes.includes(minute)).map((run) =>
        `${run.name} at ${run.minute}`
      );
  const missing = EXPECTED_RUNS[name].filter((run) => !cron.runs.some((one) => one.name === run));
  return {
    name,
    runCount: keysOf(cron.runs).length,
    mailCount: cron.mails.length,
    survivorCount: cron.survivors.length,
    differences: [
      ...missing.map((run) => `${run}: cron itself did not run it`),
      ...compareCounts("run", keysOf(cron.runs), keysOf(ours.runs)),
      ...compareLines(cron, ours, name),
      ...compareCounts("mail", cron.mails.filter((mail) => !LEFT_OUT.test(mail)), ours.mails),
      ...compareCounts("survivor", cron.survivors, ours.survivors),
    ],
    cronLog: cron.log,
    jobctlLog: ours.log,
  };
}

function minuteText(ms: number): string {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  return two(date.getHours()) + two(date.getMinutes());
}

/**
 * Run a cron and, beside it, jobctl with the same crontabs imported, each on a host of its own.
 *
 * @param minutes how many whole minutes; 0 to compare what runs when they start
 */
export async function compareWithCron(name: CronName, minutes: number): Promise<Comparison> {
  const isAtStart = minutes === 0;
  // So that both run well before the first minute that is compared.
  if (!isAtStart) {
    const left = MINUTE_MS - Date.now() % MINUTE_MS;
    if (left < START_MS) await sleep(left);
  }
  const first = Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS;
  const files = hostFiles(name, isAtStart ? null : new Date());
  const folder = mkdtempSync(join(tmpdir(), "jobctl-crons-"));
  const cron = startWorld(name, files, { folder: join(folder, "cron"), jobctlPort: null });
  const jobctlPort = await freePort();
  const ours = startWorld(name, files, { folder: join(folder, "jobctl"), jobctlPort });
  try {
    if (isAtStart) {
      await settled(name, () => Promise.all([cron.observe(), ours.observe()]));
    } else await sleep(first + minutes * MINUTE_MS + LATE_MS - Date.now());
    const compared = Array.from(
      { length: minutes },
      (_, index) => minuteText(first + index * MINUTE_MS),
    );
    return compare(name, await cron.observe(), await ours.observe(), isAtStart ? null : compared);
  } finally {
    await Promise.all([cron.end(), ours.end()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Wait until both have run what they must and nothing has changed for two seconds: nothing else
 * tells that no run is still to come. What has not run after {@link STARTED_MS_MAX} is a
 * difference.
 */
async function settled(name: CronName, observe: () => Promise<readonly Observed[]>): Promise<void> {
  const endMs = Date.now() + STARTED_MS_MAX;
  let last = "";
  let sinceMs = Date.now();
  await until("nothing has changed for two seconds", async () => {
    const found = await observe();
    const now = found.map(({ runs, mails, survivors }) =>
      [runs, mails, survivors].map(({ length }) => length).join(" ")
    ).join();
    if (now !== last) [last, sinceMs] = [now, Date.now()];
    const hasAll = found.every(({ runs }) =>
      EXPECTED_RUNS[name].every((run) => runs.some((one) => one.name === run))
    );
    return Date.now() - sinceMs > QUIET_MS && (hasAll || Date.now() > endMs);
  }, STARTED_MS_MAX + START_MS);
}
