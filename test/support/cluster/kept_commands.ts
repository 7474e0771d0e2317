import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { type JobInstance, JobState } from "../../../src/rpc/gen/job_pb.ts";
import { type Daemon, type DaemonOptions, startDaemon } from "../processes/daemon.ts";
import { seededRandom } from "../seeded_random.ts";
import { startValkey } from "../servers/valkey_server.ts";
import { withTempDir } from "../temp_dir.ts";
import { linesOf, sleep, until, untilNoneLeft } from "../wait.ts";

const KIND = "long";
/** How often a command prints. */
const TICK_MS = 500;
/** The exit code of every third command. */
const FAILURE = 3;
/** Longest wait for an answer to a request. */
const ANSWER_MS_MAX = 60_000;
const VIOLATIONS_SHOWN = 20;
/** A daemon that was down for this part of a lease may have been too late for its commands. */
const LONG_DOWN_SHARE = 0.4;

/** Prints as it goes, and writes its begin, its end and a SIGTERM to a file. */
const COMMAND = `
trap 'echo "K $JOB_UUID" >>"$JOB_ARG_effects"; exit 143' TERM
echo "S $JOB_UUID $JOB_FENCE" >>"$JOB_ARG_effects"
i=0
while [ "$i" -lt "$JOB_ARG_ticks" ]; do
  echo "out $i"
  echo "err $i" >&2
  sleep ${TICK_MS / 1_000}
  i=$((i + 1))
done
echo "E $JOB_UUID" >>"$JOB_ARG_effects"
exit "$JOB_ARG_code"
`;

/** A build of the daemon. */
export type Build = Pick<DaemonOptions, "program" | "env">;

/** How the daemon ends while its commands run. */
export interface KeptOptions {
  readonly store: "sqlite" | "valkey";
  /** "kill" is kill -9, "restart" a SIGTERM that keeps commands, "both" one of them by chance. */
  readonly how: "kill" | "restart" | "both";
  readonly ends: number;
  /** Commands that run at once. */
  readonly running: number;
  /** Longest time of a command; the shortest is a second. */
  readonly secondsMax: number;
  readonly leaseMs: number;
  readonly seed: number;
  /** Builds that take turns; the first one starts. */
  readonly builds?: readonly Build[];
  readonly log?: (line: string) => void;
}

/** What a run showed. */
export interface KeptReport {
  /** What did not hold. */
  readonly violations: readonly string[];
  readonly figures: Readonly<Record<string, number | string>>;
}

/** What a command was told. */
interface Wanted {
  readonly ticks: number;
  readonly code: number;
}

/**
 * End the daemon again and again while commands run, and start it again at once; then check that
 * each command ran once and to its end, with its exit code and all of its output recorded.
 */
export async function keepCommands(options: KeptOptions): Promise<KeptReport> {
  return await withTempDir({}, async ({ path }) => {
    const server = options.store === "valkey" ? await startValkey({ appendonly: true }) : null;
    try {
      const url = server === null ? null : `${server.url}/0`;
      const run = await KeptRun.start(options, join(path, "effects.txt"), url);
      try {
        return await run.finish();
      } finally {
        await run.daemon.stop({ force: true });
      }
    } finally {
      await server?.close();
    }
  });
}

class KeptRun {
  readonly #options: KeptOptions;
  readonly #effects: string;
  readonly #random: () => number;
  readonly #wanted = new Map<string, Wanted>();
  readonly #downMs: number[] = [];
  /** How many commands ran at each end of the daemon. */
  readonly #ranAtEnd: number[] = [];
  readonly #begun = Date.now();
  readonly #versions = new Set<string>();
  /** What the daemons warned of, for a run in which something did not hold. */
  readonly #warnings: string[] = [];
  #lostClaims = 0;
  #isFeeding = true;
  #isUp = true;
  daemon: Daemon;

  private constructor(options: KeptOptions, effects: string, daemon: Daemon) {
    const random = seededRandom(options.seed);
    this.#options = options;
    this.#effects = effects;
    this.#random = () => random.next();
    this.daemon = daemon;
  }

  static async start(
    options: KeptOptions,
    effects: string,
    url: string | null,
  ): Promise<KeptRun> {
    const { builds, running, leaseMs } = options;
    const daemon = await startDaemon({
      ...builds?.[0],
      toml: [
        `[worker]\ncount = ${running}\nlease = "${leaseMs}ms"\non_stop = "keep"`,
        "[defaults]\ncrashes_max = 1000",
        `[defaults.keep]\nsuccess = "1d"\nfailure = "1d"`,
        `[jobs.${KIND}]\nretry = 0\nparams = "effects: string, ticks: number, code: number"`,
        `run = '''${COMMAND}'''`,
      ].join("\n"),
      env: {
        JOBCTL_SERVER_HTTP: "",
        ...(url === null ? {} : { JOBCTL_STORE_URL: url }),
        ...builds?.[0]?.env,
      },
    });
    return new KeptRun(options, effects, daemon);
  }

  async finish(): Promise<KeptReport> {
    const { ends, log } = this.#options;
    const feeding = this.#feed();
    // A request that fails for good ends the run at once.
    await Promise.race([this.#end(ends), feeding]);
    this.#isFeeding = false;
    await feeding;
    log?.(`${this.#wanted.size} accepted, ${ends} ends; waiting for the last`);
    await this.#drain();
    const violations = await this.#violations();
    const sorted = this.#downMs.toSorted((a, b) => a - b);
    return {
      violations,
      figures: {
        store: this.#options.store,
        seed: this.#options.seed,
        versions: [...this.#versions].sort().join(" "),
        ends,
        commands: this.#wanted.size,
        claims_lost_before_begin: this.#lostClaims,
        ran_at_an_end_least: Math.min(...this.#ranAtEnd),
        ran_at_an_end_most: Math.max(...this.#ranAtEnd),
        down_ms_median: sorted[Math.floor(sorted.length / 2)] ?? 0,
        down_ms_max: sorted.at(-1) ?? 0,
        seconds: Math.round((Date.now() - this.#begun) / 1_000),
      },
    };
  }

  async #end(ends: number): Promise<void> {
    const { how, builds, running, log } = this.#options;
    await until("as many run as are to", () => this.#running >= running);
    for (let count = 1; count <= ends; count++) {
      await sleep(300 + this.#random() * 1_200);
      const isKill = how === "kill" || (how === "both" && this.#random() < 0.5);
      this.#isUp = false;
      this.#ranAtEnd.push(this.#running);
      this.#noteWarnings();
      const at = Date.now();
      if (isKill) await this.daemon.kill();
      else await this.daemon.terminate();
      this.daemon = await this.daemon.restart([], builds?.[count % builds.length]);
      this.#downMs.push(Date.now() - at);
      this.#isUp = true;
      this.#versions.add((await this.#ask((daemon) => daemon.client().getVersion({}))).version);
      if (count % 10 === 0) log?.(`${count} ends, ${this.#wanted.size} accepted`);
    }
  }

  #noteWarnings(): void {
    const lines = this.daemon.log().split("\n").filter((line) => /WARN|ERROR/.test(line));
    // Every third command fails as it is to.
    this.#warnings.push(...lines.filter((line) => !line.includes("An attempt failed")));
  }

  /** Commands that have begun and not ended, by what they wrote. */
  get #running(): number {
    const lines = linesOf(this.#effects);
    const begun = lines.filter((line) => line.startsWith("S ")).length;
    return begun - lines.filter((line) => line.startsWith("E ")).length;
  }

  /** Keep as many unfinished as are to run. An unanswered request is repeated with the same ids. */
  async #feed(): Promise<void> {
    const { running, secondsMax } = this.#options;
    while (this.#isFeeding) {
      const ended = linesOf(this.#effects).filter((line) => line.startsWith("E ")).length;
      const requests = Array.from({ length: running - (this.#wanted.size - ended) }, () => {
        const uuid = randomUUID();
        const ticks = Math.ceil((1 + this.#random() * (secondsMax - 1)) * 1_000 / TICK_MS);
        const code = this.#random() < 1 / 3 ? FAILURE : 0;
        this.#wanted.set(uuid, { ticks, code });
        return { kind: KIND, uuid, arguments: [this.#effects, String(ticks), String(code)] };
      });
      if (requests.length > 0) {
        await this.#ask((daemon) => daemon.client().scheduleJobs({ requests }));
      }
      await sleep(100);
    }
  }

  /** Ask until it answers: beside other work a daemon may take longer than a call. */
  async #ask<T>(question: (daemon: Daemon) => Promise<T>): Promise<T> {
    const end = Date.now() + ANSWER_MS_MAX;
    for (;;) {
      try {
        if (this.#isUp) return await question(this.daemon);
      } catch (error) {
        if (Date.now() > end) throw error;
      }
      await sleep(20);
    }
  }

  #drain(): Promise<void> {
    return untilNoneLeft(async () => {
      const { kinds } = await this.#ask((daemon) => daemon.client().getStatus({}));
      return kinds.filter(({ kind }) => kind === KIND)
        .reduce((sum, { scheduled, processing }) => sum + Number(scheduled + processing), 0);
    }, async (left) => {
      const unfinished = await this.#unfinished();
      return `${left} commands do not end: ${unfinished}\n${this.daemon.log().slice(-1_500)}`;
    });
  }

  /** What is known about the first commands that have not ended. */
  async #unfinished(): Promise<string> {
    const states = [JobState.SCHEDULED, JobState.PROCESSING];
    const found = await Promise.all(states.map((state) => {
      return this.#ask((daemon) =>
        daemon.client().lookupInstances({ query: { kind: KIND, state } })
      );
    }));
    const first = found.flatMap(({ instances }) => instances).slice(0, VIOLATIONS_SHOWN);
    const shown = await Promise.all(first.map(async ({ uuid }) => {
      const { stdout } = await this.daemon.jobctl(["explain", uuid]);
      return `${effectsOf(this.#effects, uuid)}: ${stdout}`;
    }));
    return shown.join("\n");
  }

  async #violations(): Promise<readonly string[]> {
    const found: string[] = [];
    const effects = Map.groupBy(linesOf(this.#effects), (line) => line.split(" ")[1]!);
    const instances = new Map<string, JobInstance>();
    let pageToken: string | undefined;
    do {
      const query = { kind: KIND, pageToken };
      const page = await this.#ask((daemon) => daemon.client().lookupInstances({ query }));
      for (const instance of page.instances) {
        instances.set(instance.uuid, instance);
        this.#lostClaims += instance.crashes;
      }
      pageToken = page.nextPageToken || undefined;
    } while (pageToken !== undefined);
    for (const [uuid, wanted] of this.#wanted) {
      const marks = (effects.get(uuid) ?? []).map((line) => line[0]).join("");
      if (marks !== "SE") found.push(`${uuid} began, ended or was ended as ${marks}, not SE`);
      found.push(...instanceProblems(uuid, instances.get(uuid), wanted));
      const problem = outputProblem(await this.#output(uuid), wanted.ticks);
      if (problem !== null) found.push(`${uuid}: ${problem}`);
    }
    if (found.length === 0) return found;
    this.#noteWarnings();
    const more = found.length - VIOLATIONS_SHOWN;
    const shown = more > 0 ? [...found.slice(0, VIOLATIONS_SHOWN), `and ${more} more`] : found;
    return [...shown, ...this.#warnings.slice(-VIOLATIONS_SHOWN), ...this.#hints()];
  }

  /** Commands end with their leases, of which a third may have passed when the daemon ended. */
  #hints(): readonly string[] {
    const { leaseMs } = this.#options;
    const downMs = Math.max(...this.#downMs);
    if (downMs < leaseMs * LONG_DOWN_SHARE) return [];
    const down = `the daemon was down for up to ${downMs} ms, with leases of ${leaseMs} ms`;
    return [`${down}: try a longer --lease on a busy machine`];
  }

  /** The lines that a command printed, as they were recorded. */
  async #output(uuid: string): Promise<readonly string[]> {
    const lines: string[] = [];
    let pageToken: string | undefined;
    do {
      const query = { uuid, pageToken };
      const page = await this.#ask((daemon) => daemon.client().lookupInstanceLogs({ query }));
      for (const { source, message } of page.entries) if (source !== "system") lines.push(message);
      pageToken = page.nextPageToken || undefined;
    } while (pageToken !== undefined);
    return lines;
  }
}

/** The marks of a command in the order in which it wrote them. */
function effectsOf(path: string, uuid: string): string {
  return linesOf(path).filter((line) => line.includes(uuid)).map((line) => line[0]).join("");
}

function instanceProblems(
  uuid: string,
  instance: JobInstance | undefined,
  { code }: Wanted,
): readonly string[] {
  if (instance === undefined) return [`${uuid} was accepted and is lost`];
  const { state, attempts = 0, errorDetail, error } = instance;
  const found: string[] = [];
  // A daemon may end between its claim and the begin of the command, and loses only the claim.
  if (attempts - instance.crashes !== 1) {
    found.push(`${uuid} had ${attempts} attempts, and ${instance.crashes} lost claims`);
  }
  const exitCode = state === JobState.COMPLETED ? 0 : errorDetail?.exitCode;
  if (exitCode !== code) {
    found.push(`${uuid} is ${JobState[state]} with exit code ${exitCode}, not ${code}: ${error}`);
  }
  return found;
}

/** What is wrong with the lines of a command, where each stream has its own order; else null. */
function outputProblem(lines: readonly string[], ticks: number): string | null {
  for (const stream of ["out", "err"]) {
    const found = lines.filter((line) => line.startsWith(`${stream} `)).join();
    const wanted = Array.from({ length: ticks }, (_, tick) => `${stream} ${tick}`).join();
    if (found !== wanted) return `it printed ${wanted}, and this is recorded: ${found}`;
  }
  return null;
}
