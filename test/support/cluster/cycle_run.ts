import { copyFileSync, linkSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EXIT_CODES } from "../../../src/cli/io/exit_codes.ts";
import { messageOf } from "../../../src/core/errors.ts";
import { type Daemon, JOBCTL, startDaemon } from "../processes/daemon.ts";
import { linesOf, sleep, until } from "../wait.ts";
import { withTempDir } from "../temp_dir.ts";
import { startClusterServer } from "./cluster.ts";
import type { CyclePlan, CycleStore, PlannedCommand, PlannedFault } from "./cycle_plan.ts";
import { nameOf } from "./cycle_plan.ts";
import { describeProcess, NodeProcesses, signalIfThere } from "./node_processes.ts";

/** The kind of all commands. */
export const KIND = "work";
const DRAIN_MS = 2_000;
const KILL_AFTER_MS = 2_000;
/** How long a daemon may take from SIGTERM to its end, beyond its drain. */
const STOP_MS = 5_000;
/** Longest wait for an answer to a request. */
const ANSWER_MS_MAX = 60_000;
/** Longest wait for the last commands without any that ends: no command runs as long. */
const PROGRESS_MS_MAX = 40_000;
/** Exit codes of an upgrade that changes nothing: refused, or the store was not reached. */
const REFUSED = [EXIT_CODES.conflict, EXIT_CODES.unavailable];
/** Most commands at once. */
const WORKERS = 64;

/**
 * Notes its begin, each line, SIGTERM and its end in a file, with its fence and the seconds since
 * the boot, which cost no process to read.
 */
const COMMAND = `
note() {
  read -r up rest </proc/uptime
  echo "$1 $JOB_UUID $JOB_FENCE $up" >>"$JOB_ARG_effects"
}
if [ "$JOB_ARG_stubborn" = true ]; then trap '' TERM; else trap 'note K; exit 143' TERM; fi
note S
if [ "$JOB_ARG_child" = true ]; then sleep 300 & fi
i=0
while [ "$i" -lt "$JOB_ARG_ticks" ]; do
  n=0
  while [ "$n" -lt "$JOB_ARG_lines" ]; do
    echo "out $i.$n"
    echo "err $i.$n" >&2
    n=$((n + 1))
  done
  note T
  sleep "$JOB_ARG_pause"
  i=$((i + 1))
done
note E
exit "$JOB_ARG_code"
`;

const PARAMS =
  "effects: string, ticks: number, pause: number, lines: number, code: number, stubborn: boolean, child: boolean";

/** What a run needs. */
export interface CycleRunOptions {
  readonly plan: CyclePlan;
  readonly store: CycleStore;
  /** Compiled files that take turns at each start; the compiled file by default. */
  readonly builds?: readonly string[];
  readonly log?: (line: string) => void;
}

/** A time in which the daemon did not work, or a moment at which a supervisor was killed. */
export interface Happening {
  readonly what: string;
  /** "away": no daemon renewed a lease. */
  readonly type: "away" | "supervisor killed" | "supervisor frozen";
  /** True if the daemon was frozen, and had its claims again afterwards. */
  readonly isFreeze: boolean;
  /** Epoch ms. */
  readonly from: number;
  readonly to: number;
}

/** A note of a command. */
export interface Mark {
  /** S begin, T line, K SIGTERM, E end. */
  readonly what: string;
  readonly uuid: string;
  readonly fence: bigint;
  /** Epoch ms, to 10 ms. */
  readonly at: number;
}

/** What a run left, to be checked while its daemon still runs. */
export interface CycleRun {
  readonly options: CycleRunOptions;
  readonly daemon: Daemon;
  readonly commands: readonly PlannedCommand[];
  /** Commands whose cancellation was confirmed. */
  readonly canceled: ReadonlySet<string>;
  readonly marks: readonly Mark[];
  readonly happenings: readonly Happening[];
  /** What does not concern one command; also of the end that follows. */
  readonly problems: readonly string[];
  /** How long the daemon took to end after SIGTERM, in milliseconds. */
  readonly stopMs: readonly number[];
  readonly begunAt: number;
  /** All that daemons wrote. */
  readonly log: string;
}

/** Run the cycles of a plan on a store of their own, and hand over what they left. */
export async function withCycles<T>(
  options: CycleRunOptions,
  body: (run: CycleRun, end: () => Promise<void>) => Promise<T>,
): Promise<T> {
  return await withTempDir({}, async ({ path }) => {
    const server = options.store === "sqlite" ? null : await startClusterServer(options.store);
    try {
      const cycles = await Cycles.start(options, path, server?.url ?? null);
      try {
        return await body(await cycles.run(), () => cycles.end());
      } finally {
        await cycles.close();
      }
    } finally {
      await server?.close();
    }
  });
}

class Cycles {
  readonly #options: CycleRunOptions;
  readonly #effects: string;
  readonly #program: string;
  readonly #processes: NodeProcesses;
  readonly #accepted = new Set<string>();
  readonly #canceled = new Set<string>();
  readonly #happenings: Happening[] = [];
  readonly #problems: string[] = [];
  readonly #stopMs: number[] = [];
  readonly #begunAt = Date.now();
  #starts = 0;
  #isUp = true;
  #isBroken = false;
  #isEndExpected = false;
  #log = "";
  daemon: Daemon;

  private constructor(options: CycleRunOptions, path: string, daemon: Daemon) {
    this.#options = options;
    this.#effects = join(path, "effects.txt");
    this.#program = join(path, "jobctl");
    this.#processes = new NodeProcesses(this.#effects);
    this.daemon = daemon;
    this.#watch();
  }

  static async start(
    options: CycleRunOptions,
    path: string,
    url: string | null,
  ): Promise<Cycles> {
    const { plan: { leaseMs, onStop }, builds: [first] = [] } = options;
    const program = first === undefined ? JOBCTL : join(path, "jobctl");
    if (first !== undefined) putProgram(first, program);
    const daemon = await startDaemon({
      program: [program],
      toml: [
        `[worker]\ncount = ${WORKERS}\nlease = "${leaseMs}ms"\non_stop = "${onStop}"`,
        `drain = "${DRAIN_MS}ms"`,
        `[defaults]\ncrashes_max = 1000\nkill_after = "${KILL_AFTER_MS}ms"`,
        `[defaults.keep]\nsuccess = "1d"\nfailure = "1d"`,
        `[jobs.${KIND}]\nretry = 0\nparams = "${PARAMS}"\nrun = '''${COMMAND}'''`,
      ].join("\n"),
      env: {
        JOBCTL_SERVER_HTTP: "",
        JOBCTL_NODE_ID: "node-1",
        ...(url === null ? {} : { JOBCTL_STORE_URL: url }),
      },
    });
    return new Cycles(options, path, daemon);
  }

  async run(): Promise<CycleRun> {
    const { plan, log } = this.#options;
    const feeding: Promise<void>[] = [];
    try {
      for (const [index, { commands, fault }] of plan.cycles.entries()) {
        for (const command of commands) {
          feeding.push(this.#feed(command).catch((error) => this.#brokeOff(error)));
        }
        if (fault.isAfterBegin) await this.#allBegun(commands);
        await sleep(fault.atMs);
        if (this.#isBroken) break;
        log?.(`cycle ${index + 1}: ${nameOf(fault)} for ${fault.forMs} ms`);
        await this.#do(fault);
      }
      await Promise.all(feeding);
      await this.#allEnded();
    } catch (error) {
      this.#brokeOff(error);
      await Promise.all(feeding);
      // What still runs must not end between the reads of the check.
      await this.#allEnded().catch(() => {});
    }
    return {
      ...{ options: this.#options, daemon: this.daemon, canceled: this.#canceled },
      commands: plan.cycles.flatMap(({ commands }) => commands)
        .filter(({ uuid }) => this.#accepted.has(uuid)),
      marks: this.#marks(),
      ...{ happenings: this.#happenings, problems: this.#problems, stopMs: this.#stopMs },
      begunAt: this.#begunAt,
      log: this.#log + this.daemon.log(),
    };
  }

  /** End the daemon for good; problems are those of the run. */
  async end(): Promise<void> {
    await this.#terminate();
    try {
      const { leaseMs } = this.#options.plan;
      await until("nothing is left", () => this.#left().length === 0, leaseMs + STOP_MS);
    } catch {
      const left = this.#left().map(describeProcess);
      this.#problems.push(`processes are left behind: ${left.join("; ")}`);
    }
  }

  async close(): Promise<void> {
    this.#isEndExpected = true;
    for (const pid of this.#left()) signalIfThere(pid, "SIGKILL");
    await this.daemon.stop({ force: true });
  }

  /** Nothing works any more: what has happened so far is checked. */
  #brokeOff(error: unknown): void {
    if (!this.#isBroken) this.#problems.push(`broke off: ${messageOf(error)}`);
    this.#isBroken = true;
  }

  /** Schedule a command at its time, and cancel it at its time. */
  async #feed(command: PlannedCommand): Promise<void> {
    await sleep(command.atMs);
    const { uuid, ticks, pauseMs, lines, code, timeoutMs, isStubborn, hasChild } = command;
    const numbers = [ticks, pauseMs / 1_000, lines, code].map(String);
    const request = {
      ...{ kind: KIND, uuid },
      arguments: [this.#effects, ...numbers, String(isStubborn), String(hasChild)],
      ...(timeoutMs === 0 ? {} : { timeoutMs: BigInt(timeoutMs) }),
    };
    await this.#ask((daemon) => daemon.client().scheduleJobs({ requests: [request] }));
    this.#accepted.add(uuid);
    if (command.cancelAfterMs === null) return;
    await sleep(command.cancelAfterMs);
    const { instances } = await this.#ask((daemon) =>
      daemon.client().cancelInstances({ query: { uuid } })
    );
    if (instances.length > 0) this.#canceled.add(uuid);
  }

  /** Ask until it answers; an unanswered request is repeated. */
  async #ask<T>(question: (daemon: Daemon) => Promise<T>): Promise<T> {
    let failedAt: number | null = null;
    for (;;) {
      try {
        if (this.#isUp) return await question(this.daemon);
        failedAt = null;
      } catch (error) {
        failedAt ??= Date.now();
        if (this.#isBroken || Date.now() - failedAt > ANSWER_MS_MAX) throw error;
      }
      if (this.#isBroken && !this.#isUp) throw new Error("No daemon runs any more");
      await sleep(20);
    }
  }

  async #do(fault: PlannedFault): Promise<void> {
    const { action, target, forMs } = fault;
    // While the daemon is there, its supervisors are known by their parent.
    this.#processes.supervisors(this.daemon.pid);
    if (target !== "daemon" && action !== "freeze") {
      this.#signalSupervisors(action === "kill" ? "SIGKILL" : "SIGTERM");
    }
    if (action === "freeze") return await this.#freeze(fault);
    if (target === "supervisor") return;
    const from = Date.now();
    this.#isUp = false;
    try {
      if (action === "upgrade") await this.#upgrade(fault);
      else {
        if (action === "restart") await this.#terminate();
        else await this.#kill();
        await sleep(forMs);
        if (action === "kill while it starts") await this.daemon.killDuringStart(forMs % 500);
        await this.#start(fault);
      }
    } finally {
      this.#note("away", nameOf(fault), from);
      this.#isUp = true;
    }
  }

  async #freeze({ target, forMs }: PlannedFault): Promise<void> {
    const from = Date.now();
    if (target !== "supervisor") {
      this.#isUp = false;
      this.daemon.signal("SIGSTOP");
    }
    if (target !== "daemon") this.#signalSupervisors("SIGSTOP");
    await sleep(forMs);
    if (target !== "daemon") this.#signalSupervisors("SIGCONT");
    if (target !== "supervisor") {
      this.daemon.signal("SIGCONT");
      this.#isUp = true;
    }
    this.#noteFreeze(target, from);
  }

  /** Let the daemon hand over to a file that replaces its own. */
  async #upgrade(fault: PlannedFault): Promise<void> {
    this.#putNext();
    const upgrade = this.daemon.jobctl(["upgrade-daemon"]);
    await this.#meanwhile(fault);
    const isKilled = fault.meanwhile?.target === "daemon" && fault.meanwhile.action === "kill";
    // The command waits for the next daemon, which nobody else starts then.
    if (isKilled) await this.#start(null);
    const { code, stdout, stderr } = await upgrade;
    if (isKilled) return;
    if (code === 0 && JSON.parse(stdout).is_upgraded === true) return;
    // The daemon goes on if the new file does not start, as on a host that is overloaded.
    if (REFUSED.includes(code)) return this.#options.log?.(stderr);
    throw new Error(`upgrade-daemon: exit code ${code}: ${stdout}${stderr}`);
  }

  async #kill(): Promise<void> {
    this.#isEndExpected = true;
    await this.daemon.kill();
  }

  async #terminate(): Promise<void> {
    this.#isEndExpected = true;
    const from = Date.now();
    this.daemon.signal("SIGTERM");
    const isOver = await this.#ends(DRAIN_MS + STOP_MS);
    this.#stopMs.push(Date.now() - from);
    if (isOver) return void await this.daemon.terminate();
    this.daemon.signal("SIGTERM");
    const second = await this.#ends(STOP_MS) ? "a second one ended it" : "nor did a second one";
    this.#problems.push(`SIGTERM did not end the daemon in ${DRAIN_MS + STOP_MS} ms, ${second}`);
    await this.daemon.kill();
  }

  async #ends(withinMs: number): Promise<boolean> {
    return await Promise.race([
      this.daemon.exited.then(() => true),
      sleep(withinMs).then(() => false),
    ]);
  }

  async #start(fault: PlannedFault | null): Promise<void> {
    this.#log += this.daemon.log();
    this.#putNext();
    const starting = this.daemon.restart();
    const meanwhile = fault === null ? null : this.#meanwhile(fault);
    this.daemon = await starting;
    await meanwhile;
    this.#watch();
  }

  async #meanwhile({ meanwhile }: PlannedFault): Promise<void> {
    if (meanwhile === null) return;
    const { target, action, afterMs } = meanwhile;
    const signal = (name: NodeJS.Signals) =>
      target === "supervisor" ? this.#signalSupervisors(name) : this.daemon.signal(name);
    await sleep(afterMs);
    if (target === "daemon") this.#isEndExpected = action === "kill";
    if (action === "kill") return signal("SIGKILL");
    const from = Date.now();
    signal("SIGSTOP");
    await sleep(1_000 + 4 * afterMs);
    signal("SIGCONT");
    this.#noteFreeze(target, from);
  }

  /** Put the build whose turn it is in the place of the program. */
  #putNext(): void {
    const { builds = [] } = this.#options;
    if (builds.length > 0) putProgram(builds[++this.#starts % builds.length]!, this.#program);
  }

  #watch(): void {
    const { daemon } = this;
    this.#isEndExpected = false;
    void daemon.exited.then(({ code, signal }) => {
      if (this.#isEndExpected || this.daemon !== daemon) return;
      this.#problems.push(`the daemon ended by itself (${code ?? signal})`);
    });
  }

  #signalSupervisors(name: NodeJS.Signals): void {
    const found = this.#processes.supervisors(this.daemon.pid);
    for (const pid of found) signalIfThere(pid, name);
    if (name !== "SIGKILL" || found.length === 0) return;
    this.#note("supervisor killed", `pid ${found.join(", ")}`, Date.now());
  }

  #note(type: Happening["type"], what: string, from: number): void {
    this.#happenings.push({ type, what, isFreeze: false, from, to: Date.now() });
  }

  #noteFreeze(target: PlannedFault["target"], from: number): void {
    const type = target === "supervisor" ? "supervisor frozen" : "away";
    this.#happenings.push({ type, what: `freeze ${target}`, isFreeze: true, from, to: Date.now() });
  }

  /** Supervisors and processes of commands. */
  #left(): readonly number[] {
    return [...this.#processes.supervisors(this.daemon.pid), ...this.#processes.commands()];
  }

  async #allBegun(commands: readonly PlannedCommand[]): Promise<void> {
    await until("all have begun", () => {
      const begun = new Set(linesOf(this.#effects).map((line) => line.split(" ")[1]));
      return commands.every(({ uuid }) => begun.has(uuid));
    });
  }

  /** Wait until nothing is left, or nothing ends any more. */
  async #allEnded(): Promise<void> {
    let least = Infinity;
    let leastAt = Date.now();
    for (;;) {
      const { kinds } = await this.#ask((daemon) => daemon.client().getStatus({}));
      const left = kinds.filter(({ kind }) => kind === KIND)
        .reduce((sum, { scheduled, processing }) => sum + Number(scheduled + processing), 0);
      if (left < least) leastAt = Date.now();
      least = Math.min(least, left);
      if (left === 0 || Date.now() - leastAt > PROGRESS_MS_MAX) return;
      await sleep(100);
    }
  }

  #marks(): readonly Mark[] {
    const bootAt = Date.now() - Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1_000;
    return linesOf(this.#effects).map((line) => {
      const [what, uuid, fence, up] = line.split(" ") as [string, string, string, string];
      return { what, uuid, fence: BigInt(fence), at: Math.round(bootAt + Number(up) * 1_000) };
    });
  }
}

/** Replace a program by another one, as a package manager does. */
function putProgram(from: string, to: string): void {
  const next = `${to}.new`;
  try {
    linkSync(from, next);
  } catch {
    // It is on another file system.
    copyFileSync(from, next);
  }
  renameSync(next, to);
  // It stays if it is the same file.
  rmSync(next, { force: true });
}
