import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test from "node:test";
import { startDaemon } from "../../support/processes/daemon.ts";
import {
  ProgramLibrary,
  ROOT,
  type Runtime,
  RUNTIMES,
  USUAL_RUNTIMES,
} from "../../support/processes/runtimes.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const library = new ProgramLibrary();
const PROGRAM = readFileSync(
  join(ROOT, "test", "support", "processes", "ending_program.ts"),
  "utf8",
);
const RUN_MS_MAX = 60_000;

/** How a program ended. */
interface Run {
  readonly lines: readonly string[];
  readonly errors: string;
  readonly code: number | null;
  readonly signal: string | null;
}

/** Run a command to its end. @param onLine called with each line that it prints */
async function run(
  [program, ...args]: readonly string[],
  onLine: (line: string, child: ChildProcess) => void = () => {},
): Promise<Run> {
  const child = spawn(program!, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
  const lines: string[] = [];
  let errors = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    onLine(line, child);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  const [code, signal] = await once(child, "close");
  clearTimeout(timer);
  return { lines, errors, code, signal };
}

function idsOf({ lines }: Run, word: string): readonly string[] {
  return lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.split(" ")[1]!);
}

/** Ends of a program by name: how it is run, and the exit code or signal that it has then. */
const ENDS: Readonly<
  Record<string, { readonly ending: string; readonly end: number | string }>
> = {
  "an uncaught exception": { ending: "exception", end: 1 },
  "process.exit(0)": { ending: "exit", end: 0 },
  "process.exit(0) in a job": { ending: "job exits", end: 0 },
  "an empty event loop": { ending: "nothing more to do", end: 0 },
  "SIGTERM": { ending: "signal", end: "SIGTERM" },
  "SIGINT": { ending: "signal", end: "SIGINT" },
  "SIGKILL": { ending: "signal", end: "SIGKILL" },
};

/** Ends that are tried on the newest Node; `npm run slow -- runtimes` tries all. */
const OF_NEWEST = ["an uncaught exception", "an empty event loop", "SIGTERM", "SIGKILL"];

async function endInEveryWay(runtime: Runtime, folder: string): Promise<void> {
  const file = library.write(folder, PROGRAM);
  const path = join(folder, "jobs.db");
  const accepted: string[] = [];
  const isUsual = USUAL_RUNTIMES.includes(runtime);
  for (const [name, { ending, end }] of Object.entries(ENDS)) {
    if (!isUsual && !OF_NEWEST.includes(name)) continue;
    const ended = await run([...runtime.command, file, path, ending], (line, child) => {
      if (line === "ready" && typeof end === "string") child.kill(end as NodeJS.Signals);
    });
    const what = `${runtime.name}, ${name}: ${ended.errors}`;
    assert.equal(ended.signal ?? ended.code, end, what);
    assert.deepEqual(idsOf(ended, "has").toSorted(), accepted.toSorted(), what);
    const ids = idsOf(ended, "accepted");
    assert.ok(ids.length >= 3, what);
    accepted.push(...ids);
  }
  await loseLog(runtime, { file, path, folder });
  accepted.push(...await saveWatched(runtime, { file, path, accepted }));
  const last = await run([...runtime.command, file, path, "stop"]);
  assert.deepEqual([last.code, last.errors], [0, ""]);
  assert.deepEqual(idsOf(last, "has").toSorted(), accepted.toSorted());
}

/** The log that a SIGKILL left is really lost: that is refused. */
async function loseLog(
  { name, command }: Runtime,
  { file, path, folder }: Readonly<Record<"file" | "path" | "folder", string>>,
): Promise<void> {
  assert.ok(existsSync(`${path}-wal`));
  const copy = join(folder, "lost.db");
  for (const ending of ["", "-commits"]) copyFileSync(`${path}${ending}`, `${copy}${ending}`);
  const refused = await run([...command, file, copy, "stop"]);
  assert.notEqual(refused.code, 0, name);
  assert.match(refused.errors, /commits? up to \S+ (is|are) missing.* log is gone/, name);
}

/** @returns what was accepted before a save of the program, and after it */
async function saveWatched(
  { name, command: [program, ...args], watch }: Runtime,
  { file, path, accepted }: {
    readonly file: string;
    readonly path: string;
    readonly accepted: readonly string[];
  },
): Promise<readonly string[]> {
  // Deno wants it behind `run`.
  const flags = args[0] === "run" ? ["run", ...watch, ...args.slice(1)] : [...args, ...watch];
  let starts = 0;
  const ended = await run([program!, ...flags, file, path, "signal"], (line, child) => {
    if (line !== "ready") return;
    starts += 1;
    if (starts > 1) child.kill("SIGTERM");
    // The runtime begins to watch when the program is loaded.
    else setTimeout(() => appendFileSync(file, "// saved\n"), 500);
  });
  assert.equal(starts, 2, `${name}, a save: ${ended.errors}`);
  const ids = idsOf(ended, "accepted");
  const first = ids.slice(0, ids.length / 2);
  const wanted = [...accepted, ...accepted, ...first].toSorted();
  assert.deepEqual(idsOf(ended, "has").toSorted(), wanted, `${name}, a save`);
  return ids;
}

test("a program that ends in any way starts again with everything that was accepted", async () => {
  await Promise.all(RUNTIMES.map((runtime) => {
    return withTempDir({}, ({ path }) => endInEveryWay(runtime, path));
  }));
});

const ENDING_JOB = `import { existsSync, writeFileSync } from "node:fs";
export default function ends(file: string): void {
  // It is taken over at the next start.
  if (existsSync(file)) return;
  writeFileSync(file, "");
  END;
}
`;

for (
  const [name, { code, end }] of Object.entries({
    "process.exit(0)": { end: "process.exit(0)", code: 0 },
    "an uncaught exception": {
      end: 'setTimeout(() => { throw new Error("as planned"); })',
      code: 1,
    },
  })
) {
  test(`a daemon that ends by ${name} of an inline job starts again with everything that was accepted`, async () => {
    const toml = '[jobs.wait]\nrun = "true"\n[jobs.ends]\nisolation = "inline"\n';
    let daemon = await startDaemon({
      toml,
      modules: { "ends.ts": ENDING_JOB.replace("END", end) },
    });
    try {
      const requests = Array.from({ length: 5 }, () => ({ kind: "wait", afterMs: 3_600_000n }));
      const { instances } = await daemon.client().scheduleJobs({ requests });
      const marker = join(daemon.dir, "ended");
      // Its answer may be lost with the daemon.
      await daemon.client().scheduleJob({ kind: "ends", arguments: [marker] }).catch(() => {});
      assert.deepEqual(await daemon.exited, { code, signal: null });
      daemon = await daemon.restart();
      const there = (await daemon.client().lookupInstances({})).instances;
      for (const { uuid } of instances) assert.ok(there.some((one) => one.uuid === uuid), uuid);
      assert.equal(there.length, instances.length + 1);
    } finally {
      await daemon.stop({ force: true });
    }
  });
}

const WORKER = `import { Manager } from "ts-job";
const manager = new Manager();
manager.registerJob({ kind: "work", run: () => {} });
process.on("SIGTERM", () => void manager.stop().then(() => console.log("stopped")));
await manager.start();
console.log("ready");
`;

const WAITER = `import { Manager } from "ts-job";
const manager = new Manager({ keepAlive: false });
// Nothing of it keeps the process alive.
const idle = (ms) => new Promise((done) => setTimeout(done, ms).unref());
manager.registerJob({ kind: "work", run: () => idle(200) });
await manager.start();
console.log((await manager.wait(await manager.scheduleJob("work"))).state);
console.log((await manager.wait(await manager.scheduleJob("work", { after: "200ms" }))).state);
await manager.scheduleJob("work", { after: "1h" });
`;

for (const { name, command } of RUNTIMES) {
  test(`start() keeps the process alive until stop() on ${name}`, () =>
    withTempDir({}, async ({ path }) => {
      const file = library.write(path, WORKER);
      const ended = await run([...command, file], (line, child) => {
        // By itself it would end at once.
        if (line === "ready") setTimeout(() => child.kill("SIGTERM"), 300);
      });
      assert.deepEqual([ended.lines, ended.code, ended.signal], [["ready", "stopped"], 0, null]);
    }));

  test(`wait() keeps the process alive without keepAlive on ${name}, and nothing else does`, () =>
    withTempDir({}, async ({ path }) => {
      const file = library.write(path, WAITER);
      const { lines, code, signal, errors } = await run([...command, file]);
      assert.deepEqual([lines, code, signal], [["completed", "completed"], 0, null], errors);
    }));
}
