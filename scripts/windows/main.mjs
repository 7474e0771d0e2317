// Runs the program for Windows under wine: npm run windows. Linux on x64, with wine64 and script
// (Debian: apt-get install wine64 bsdutils). Everything is in a temporary folder.
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { compile } from "../compile.mjs";
import { sourceFacts } from "../facts.mjs";
import { writeRuntime } from "../release/runtimes.mjs";
import { programName, TARGETS } from "../release/targets.mjs";
import { install } from "../tasks.mjs";
import { CONFIG, LATER_MODULE, MODULES } from "./project.mjs";

const USAGE = `Usage: npm run windows -- [--program FILE] [--keep]

Compiles jobctl for Windows, and checks under wine what docs/install.md says of it: a daemon with
workers and inline jobs, schedules, retries, time limits, a drain by Ctrl-C, the state after a
restart, a kill and a freeze, and what it refuses.

  --program FILE  check this jobctl.exe instead of a new one
  --keep          keep the folder`;

/** Time limit of each step: wine is slow, and its first start makes a system. */
const LIMIT_MS = 60_000;

const { values } = parseArgs({
  options: { help: { type: "boolean" }, program: { type: "string" }, keep: { type: "boolean" } },
});

/** Path of a program of this machine; null if missing. */
function find(...names) {
  const folders = [...process.env.PATH.split(delimiter), "/usr/lib/wine"];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync) ??
    null;
}

function compileProgram(folder) {
  const target = TARGETS.find(({ name }) => name === "windows-x64");
  const path = join(folder, programName(target));
  compile(path, {
    runtime: writeRuntime(target, folder),
    bunTarget: target.bunTarget,
    hasSourceMaps: false,
    facts: { target: target.name, ...sourceFacts(), publicKey: null },
  });
  return path;
}

/** A port that is free now: wine has this machine's ports. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Call `read` until it returns something. */
async function until(what, read) {
  for (const endMs = performance.now() + LIMIT_MS; performance.now() < endMs; await sleep(100)) {
    const found = await read();
    if (found) return found;
  }
  throw new Error(`${what} did not happen within ${LIMIT_MS} ms`);
}

function expect(isTrue, text) {
  if (!isTrue) throw new Error(`Not as expected:\n${text}`);
}

/** Processor time of a process. */
function ticksOf(pid) {
  return Number(readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1).split(" ")[11]);
}

class Windows {
  #wine;
  #program;
  #env;
  #folder;
  #daemons = 0;

  constructor(wine, program, folder) {
    this.#wine = wine;
    this.#program = program;
    this.#folder = folder;
    const runtime = join(folder, "run");
    mkdirSync(runtime);
    this.#env = {
      ...process.env,
      WINEPREFIX: join(folder, "prefix"),
      WINEDEBUG: "-all",
      XDG_RUNTIME_DIR: runtime,
      JOBCTL_OUTPUT: "json",
    };
  }

  /** Run a verb in a folder. @returns its exit code, stdout and stderr */
  run(args, cwd) {
    const { status, stdout, stderr } = spawnSync(this.#wine, [this.#program, ...args], {
      cwd,
      env: this.#env,
      encoding: "utf8",
      timeout: LIMIT_MS,
      killSignal: "SIGKILL",
    });
    // Wine's server ends with its last program, perhaps right now.
    if (stderr.includes("wine client error")) return this.run(args, cwd);
    return { status, stdout, stderr, text: `${stdout}\n${stderr}` };
  }

  /** Start a daemon on a separate terminal, which can press Ctrl-C. */
  async serve(cwd) {
    const name = `serve-${this.#daemons++}`;
    const [log, pidFile] = [".log", ".pid"].map((ending) => join(this.#folder, name + ending));
    const line = `echo $$ >'${pidFile}'; exec '${this.#wine}' '${this.#program}' serve 2>'${log}'`;
    const terminal = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], {
      cwd,
      env: this.#env,
      stdio: ["pipe", "ignore", "ignore"],
    });
    const ended = new Promise((done) => terminal.once("exit", done));
    const signal = (name) => process.kill(Number(readFileSync(pidFile, "utf8")), name);
    const daemon = {
      ended,
      signal,
      log: () => existsSync(log) ? readFileSync(log, "utf8") : "",
      // script stops together with its command.
      continueTerminal: () => terminal.kill("SIGCONT"),
      interrupt: () => terminal.stdin.write("\x03"),
      kill: async () => {
        signal("SIGKILL");
        await ended;
      },
    };
    await until(`The start of a daemon (${log})`, () => daemon.log().includes("is ready"));
    return daemon;
  }

  /** The processes of this wine, known by their environment, with a text in their command line. */
  processes(text) {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text) &&
          readFileSync(`/proc/${pid}/environ`, "utf8").includes(this.#env.WINEPREFIX);
      } catch {
        // It has ended meanwhile, or belongs to another user.
        return false;
      }
    });
  }

  /** End all remaining processes in this wine, which belongs to this command alone. */
  close() {
    for (const pid of this.processes("")) process.kill(pid, "SIGKILL");
  }
}

/** The checks, each building on the earlier ones. */
async function* checks(windows, root) {
  const project = join(root, "project");
  const started = join(root, "started");
  const [port, http] = [await freePort(), await freePort()];
  for (const folder of [started, join(project, "jobs")]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(project, "config.toml"), CONFIG(port, http));
  for (const [name, text] of Object.entries(MODULES)) writeFileSync(join(project, name), text);
  const call = (...args) => windows.run([...args, "--port", String(port)], project);
  const instances = (kind) => JSON.parse(call("list", "instances", "--kind", kind).stdout);
  const resultOf = (kind) => JSON.parse(call("schedule", kind, "--wait").stdout).results[0];
  const file = (name) =>
    existsSync(join(project, name)) ? readFileSync(join(project, name), "utf8") : "";

  /** Start a job that notes its start in a file, and wait for that. */
  const begin = async (kind, ...args) => {
    const begun = () => file(`${kind}.txt`).split("begun").length;
    const before = begun();
    call("schedule", kind, ...args);
    await until(`The start of ${kind}`, () => begun() > before);
  };

  const version = windows.run(["version", "--verbose", "-o", "json"], root);
  expect(version.stdout.includes("windows-x64"), version.text);
  yield "version";

  expect(windows.run(["init"], started).status === 0, "init failed");
  const fresh = windows.run(["check"], started);
  expect(fresh.status === 0 && JSON.parse(fresh.stdout).problems.length === 0, fresh.text);
  yield "init writes a project that works here";

  const checked = windows.run(["check"], project);
  const problems = JSON.parse(checked.stdout).problems.map(({ message }) => message).sort();
  expect(
    problems.length === 2 &&
      problems[0].endsWith('"command": commands do not work on Windows') &&
      problems[1].endsWith('"other": user does not work on Windows'),
    checked.text,
  );
  yield "check refuses commands and other users";

  const ran = windows.run(["exec", "add", "2", "3"], project);
  expect(ran.status === 0 && JSON.parse(ran.stdout).results[0] === 5, ran.text);
  yield "exec runs a job without a daemon";

  let daemon = await windows.serve(project);
  expect(call("status").status === 0, daemon.log());
  const health = await fetch(`http://127.0.0.1:${http}/healthz`);
  expect(health.ok, `HTTP ${health.status}`);
  yield "serve listens, and knows its client by its user";

  const opened = call("open");
  const login = await fetch(JSON.parse(opened.stdout).url, { redirect: "manual" });
  const cookie = login.headers.get("set-cookie")?.split(";")[0];
  const page = await fetch(`http://127.0.0.1:${http}/`, { headers: { cookie } });
  expect(page.ok && (await page.text()).includes("/assets/app-"), `${login.status} ${opened.text}`);
  yield "open leads to the dashboard";

  const made = windows.run(["token", "new", "ci", "--role", "viewer", "-o", "json"], project);
  expect(made.status === 0, made.text);
  const { token } = JSON.parse(made.stdout);
  const asViewer = (...args) => call(...args, "--token", token);
  await until("The new token", () => asViewer("status").status === 0);
  expect(asViewer("cancel", "--all").status !== 0, "a viewer may cancel");
  const [listed] = JSON.parse(windows.run(["token", "list", "-o", "json"], project).stdout);
  expect(listed.name === "ci", JSON.stringify(listed));
  yield "tokens";

  await until("Three ticks", () => file("ticks.txt").split("\n").length > 3);
  yield "a schedule of seconds ticks";

  const added = call("schedule", "add", "40", "2", "--wait");
  expect(JSON.parse(added.stdout).results[0] === 42, added.text);
  yield "schedule --wait";

  const flaky = JSON.parse(call("schedule", "flaky", "--wait").stdout);
  expect(flaky.state === "completed" && flaky.attempts === 3, JSON.stringify(flaky));
  expect(call("logs", flaky.uuid).stdout.includes("this is run 3"), call("logs", flaky.uuid).text);
  yield "retries and logs";

  const inline = resultOf("inline");
  const [apart, cwd, word] = resultOf("apart");
  expect(inline !== apart && cwd.endsWith("\\jobs") && word === 'a "b"', `${cwd} ${word}`);
  expect(call("logs", "--kind", "apart").stdout.includes('"printed"'), "no output");
  yield "inline jobs and worker processes";

  const late = JSON.parse(call("schedule", "slow", "30000", "--timeout", "300ms", "--wait").stdout);
  expect(late.state === "timed_out", JSON.stringify(late));
  yield "a time limit";

  const spun = JSON.parse(call("schedule", "spin", "--timeout", "500ms", "--wait").stdout);
  expect(spun.state === "timed_out", JSON.stringify(spun));
  const ended = JSON.parse(call("schedule", "exits", "--wait").stdout);
  expect(ended.error.message.includes("exited with code 7"), JSON.stringify(ended));
  yield "a function that spins is ended, and one that ends its worker is reported";

  const second = windows.run(["serve", "--port", "0", "--http", ""], project);
  expect(second.status !== 0 && second.stderr.includes("it belongs to process"), second.text);
  yield "a second daemon on the same file is refused";

  writeFileSync(join(project, "jobs", "later.ts"), LATER_MODULE);
  const reloaded = call("reload").text;
  expect(reloaded.includes('"added": 1'), reloaded);
  expect(call("schedule", "later", "--wait").stdout.includes("came later"), daemon.log());
  yield "reload finds a new module";

  const saved = call("store", "backup", "backup.jobctl");
  expect(saved.status === 0 && file("backup.jobctl").length > 0, saved.text);
  yield "store backup";

  await begin("slow", "8000");
  daemon.interrupt();
  expect(await daemon.ended === 0 && daemon.log().includes("Stopped"), daemon.log());
  expect(file("slow.txt") === "begun\nbegun\nslept\n", `slow.txt: ${file("slow.txt")}`);
  yield "Ctrl-C drains";

  daemon = await windows.serve(project);
  const kept = instances("slow").map(({ state }) => state).sort();
  expect(kept.join() === "completed,timed_out", kept.join());
  yield "a restart finds everything";

  await begin("once");
  await daemon.kill();
  daemon = await windows.serve(project);
  await until(
    "The second attempt",
    () => instances("once").some(({ state }) => state === "completed"),
  );
  expect(file("once.txt") === "begun\nbegun\n", file("once.txt"));
  yield "after a kill, an interrupted job runs again";

  await begin("spin");
  // Idle ones stay: they do nothing special.
  const workers = () => windows.processes("__worker");
  await sleep(1_000);
  const [spinning] = workers().sort((one, other) => ticksOf(other) - ticksOf(one));
  daemon.signal("SIGSTOP");
  await until("The end of the worker", () => !workers().includes(spinning));
  daemon.signal("SIGCONT");
  daemon.continueTerminal();
  await until("The end of the attempt", () => daemon.log().includes("could not keep its lease"));
  yield "the worker of a daemon that freezes ends before its lease";

  await begin("slow", "60000");
  daemon.interrupt();
  await until("The first Ctrl-C", () => daemon.log().includes("SIGINT"));
  daemon.interrupt();
  expect(await daemon.ended === 0 && daemon.log().includes("SIGINT again"), daemon.log());
  yield "a second Ctrl-C aborts";

  const gone = call("status");
  expect(gone.status !== 0 && gone.stderr.includes("Is the daemon running?"), gone.text);
  for (const args of [["wrap", "x", "--", "cmd"], ["install-service"]]) {
    const refused = windows.run(args, project);
    expect(refused.status !== 0 && refused.stderr.includes("on Windows"), refused.text);
  }
  yield "wrap and install-service refuse";
}

async function main() {
  const wine = find("wine64", "wine");
  const missing = [wine ? null : "wine64", find("script") ? null : "bsdutils"].filter(Boolean);
  if (missing.length > 0) {
    console.error(
      `Not run: it needs ${missing.join(" and ")} (apt-get install ${missing.join(" ")})`,
    );
    return 2;
  }
  install();
  const folder = mkdtempSync(join(tmpdir(), "jobctl-windows-"));
  let windows = null;
  try {
    const program = values.program ? resolve(values.program) : compileProgram(folder);
    windows = new Windows(wine, program, folder);
    for await (const done of checks(windows, folder)) console.log(`ok  ${done}`);
    return 0;
  } catch (error) {
    console.error(`FAILED  ${error.message}`);
    return 1;
  } finally {
    windows?.close();
    if (values.keep) console.log(`Kept ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

if (values.help) console.log(USAGE);
else process.exitCode = await main();
