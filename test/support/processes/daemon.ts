import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../../src/platform/clock.ts";
import type { JobClient } from "../../../src/rpc/client/client.ts";
import { connect } from "../../../src/rpc/client/client.ts";
import { removeFolder } from "../temp_dir.ts";
import { sleep, until } from "../wait.ts";

/** The compiled file under test. */
export const JOBCTL = fileURLToPath(new URL("../../../dist/jobctl", import.meta.url));

const SERVE = ["serve", "--config", "config.toml"] as const;
const READY_MS_MAX = 30_000;
/** As long as a gigabyte of output takes beside other tests. */
const RUN_MS_MAX = 150_000;
const STOP_MS_MAX = 60_000;
const READY = /jobctl \S+ is ready.*\blistening"?[=:]"?([^\s"]+)/;

/** What a run of `jobctl` gave. */
export interface RunResult {
  /** Exit code; -1 when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Beside the environment without its `JOBCTL_*`; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Runs it as this user and group, and no other group; only root can. */
  readonly as?: { readonly uid: number; readonly gid: number };
}

export interface DaemonOptions {
  /**
   * Text of the configuration; `modules = ["jobs"]` and what the environment below says is added.
   */
  readonly toml?: string;
  /** Source of job modules by file name. */
  readonly modules?: Readonly<Record<string, string>>;
  /** Environment of the daemon; ports, store and socket are set there and can be set otherwise. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The program and its first arguments; the compiled file by default. */
  readonly program?: readonly string[];
  /** Limit of its open files; this process's own by default. */
  readonly descriptors?: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A daemon of the compiled file in a folder of its own. */
export interface Daemon {
  /** 0 when its port is off, or taken. */
  readonly port: number;
  /** 0 when HTTP is off, or its port is taken. */
  readonly httpPort: number;
  /** Holds config.toml, jobs/ and the database. */
  readonly dir: string;
  readonly pid: number;
  /** Resolves when the process has ended. */
  readonly exited: Promise<Exit>;
  /** What it wrote so far. */
  log(): string;
  /** Resolves when what it wrote matches: it may reach us after the daemon's answer. */
  logged(pattern: RegExp): Promise<void>;
  /** Run the compiled file as this daemon's client. */
  jobctl(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /**
   * Run the commands of jobctl in this process, against this daemon: for tests that are not about
   * the program of the client, whose start takes longer than most commands.
   */
  ask(args: readonly string[], options?: Pick<RunOptions, "env" | "input">): Promise<RunResult>;
  /** A client in this process, closed when the daemon ends. */
  client(): JobClient;
  signal(name: NodeJS.Signals): void;
  /** kill -9; resolves when the process is gone. The folder stays. */
  kill(): Promise<void>;
  /** Start it again on the same folder, and kill -9 it so soon after. */
  killDuringStart(afterMs: number): Promise<void>;
  /** SIGTERM, and wait for the end; the folder stays. */
  terminate(): Promise<Exit>;
  /**
   * End by SIGTERM when it runs, and start again on the same folder.
   *
   * @param args of `serve`, besides its configuration
   * @param changes another program, and changes of the environment, from now on
   */
  restart(
    args?: readonly string[],
    changes?: Pick<DaemonOptions, "program" | "env">,
  ): Promise<Daemon>;
  /** End by SIGTERM, or SIGKILL with `force`, wait, remove the folder. */
  stop(options?: { readonly force?: boolean }): Promise<Exit>;
}

/** The environment without what steers jobctl, and with `changes`. */
function environment(
  ...changes: (Readonly<Record<string, string | undefined>> | undefined)[]
): Record<string, string> {
  const clean = Object.entries(process.env).filter(([name]) => !name.startsWith("JOBCTL_"));
  const merged = Object.assign(Object.fromEntries(clean), ...changes);
  return Object.fromEntries(
    Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function assertBuilt(): void {
  if (!existsSync(JOBCTL)) throw new Error(`There is no "${JOBCTL}": run npm run build first`);
}

/** Run the compiled file to its end. */
export function runJobctl(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  assertBuilt();
  return new Promise((resolve, reject) => {
    const child = spawn(JOBCTL, [...args], {
      cwd: options.cwd,
      // JSON unless a test asks for something else.
      env: environment({ JOBCTL_OUTPUT: "json" }, options.env),
      stdio: ["pipe", "pipe", "pipe"],
      ...options.as,
    });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => output[name] += text);
    }
    const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? -1, ...output });
    });
    // A program that ends without reading its input is no error of the test.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}

/** Start a daemon on free ports, with SQLite, and wait until it is ready. */
export async function startDaemon(options: DaemonOptions = {}): Promise<Daemon> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-"));
  // The users of jobs must be able to read their modules when they are loaded.
  chmodSync(dir, 0o755);
  const toml = options.toml ?? "";
  const modules = /^modules\s*=/m.test(toml) ? "" : 'modules = ["jobs"]\n';
  writeFileSync(join(dir, "config.toml"), modules + toml);
  mkdirSync(join(dir, "jobs"));
  for (const [name, source] of Object.entries(options.modules ?? {})) {
    const path = join(dir, "jobs", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, source);
  }
  try {
    return await launch(dir, options);
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

async function launch(
  dir: string,
  options: DaemonOptions,
  more: readonly string[] = [],
): Promise<Daemon> {
  assertBuilt();
  const env = environment({
    JOBCTL_SERVER_PORT: "0",
    JOBCTL_SERVER_HTTP: "127.0.0.1:0",
    JOBCTL_SERVER_SOCKET: join(dir, "jobctl.sock"),
    JOBCTL_SERVER_AUTH_TOKEN_FILE: join(dir, "token"),
    JOBCTL_STORE_URL: `sqlite:${join(dir, "data", "jobctl.db")}`,
  }, options.env);
  const serve = [...options.program ?? [JOBCTL], ...SERVE, ...more];
  // It becomes the daemon, and keeps its process id.
  const limited = ["prlimit", `--nofile=${options.descriptors}:${options.descriptors}`, ...serve];
  const [program, ...args] = options.descriptors === undefined ? serve : limited;
  const child = spawn(program!, args, {
    cwd: dir,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  // A test process that is ended leaves no daemon behind.
  const killAtExit = () => child.kill("SIGKILL");
  process.once("exit", killAtExit);
  const exited = new Promise<Exit>((resolve) => {
    child.once("error", () => resolve({ code: null, signal: null }));
    child.once("exit", (code, signal) => {
      process.removeListener("exit", killAtExit);
      resolve({ code, signal });
    });
  });
  let log = "";
  const addresses = await new Promise<readonly string[]>((resolve, reject) => {
    const fail = (what: string) => reject(new Error(`The daemon ${what}:\n${log}`));
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      fail(`was not ready within ${READY_MS_MAX} ms`);
    }, READY_MS_MAX);
    const read = (text: string) => {
      log += text;
      const ready = READY.exec(log);
      if (!ready) return;
      clearTimeout(timer);
      resolve(ready[1]!.split(","));
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
    void exited.then(({ code, signal }) => {
      clearTimeout(timer);
      // Its last words may come after its end.
      setTimeout(() => fail(`ended at once (${code ?? signal})`), 50);
    });
  });
  return createDaemon({ dir, options, addresses, exited, pid: child.pid!, log: () => log, env });
}

function portOf(addresses: readonly string[], scheme: string): number {
  const address = addresses.find((text) => text.startsWith(scheme));
  return address === undefined ? 0 : Number(/:(\d+)$/.exec(address)?.[1] ?? 0);
}

/** Resolves as `exited` does, or after SIGKILL when that takes too long. */
async function waitExit(pid: number, exited: Promise<Exit>): Promise<Exit> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), STOP_MS_MAX);
  });
  const exit = await Promise.race([exited, late]);
  clearTimeout(timer);
  if (exit) return exit;
  process.kill(pid, "SIGKILL");
  await exited;
  throw new Error(`The daemon did not stop within ${STOP_MS_MAX} ms of SIGTERM`);
}

function createDaemon(
  parts: {
    readonly dir: string;
    readonly options: DaemonOptions;
    readonly addresses: readonly string[];
    readonly exited: Promise<Exit>;
    readonly pid: number;
    readonly log: () => string;
    readonly env: Readonly<Record<string, string>>;
  },
): Daemon {
  const { dir, options, addresses, exited, pid, env } = parts;
  const port = portOf(addresses, "grpc:");
  const socket = addresses.find((text) => text.startsWith("unix:"))?.slice("unix:".length);
  const tokenFile = env.JOBCTL_SERVER_AUTH_TOKEN_FILE;
  let hasExited = false;
  let client: JobClient | null = null;
  void exited.then(() => hasExited = true);
  const signal = (name: NodeJS.Signals) => {
    if (!hasExited) process.kill(pid, name);
  };
  const clientEnv = {
    JOBCTL_PORT: port === 0 ? undefined : String(port),
    JOBCTL_SOCKET: socket,
    JOBCTL_TOKEN_FILE: tokenFile,
  };
  const closeClient = () => {
    client?.close();
    client = null;
  };
  const terminate = async () => {
    closeClient();
    signal("SIGTERM");
    // A stopped process takes no signal but this.
    signal("SIGCONT");
    return await waitExit(pid, exited);
  };
  return {
    port,
    httpPort: portOf(addresses, "http:"),
    dir,
    pid,
    exited,
    signal,
    log: parts.log,
    logged: (pattern) => until(`the log has ${pattern}`, () => pattern.test(parts.log())),
    jobctl: (args, { env: changes, ...rest } = {}) =>
      runJobctl(args, {
        cwd: dir,
        ...rest,
        env: { ...clientEnv, ...changes },
      }),
    async ask(args, { env: changes, input } = {}) {
      // Loaded by few tests.
      const { cli } = await import("../worlds/cli_world.ts");
      const env = environment({ JOBCTL_OUTPUT: "json" }, clientEnv, changes);
      const given = input === undefined ? {} : { input };
      const options = { env, cwd: dir, clock: systemClock, connect, ...given };
      const { code, stdout, stderr } = await cli(args, options);
      return { code, stdout, stderr };
    },
    client: () => client ??= connect({ port: port === 0 ? undefined : port, socket, tokenFile }),
    async kill() {
      closeClient();
      signal("SIGKILL");
      await exited;
    },
    async killDuringStart(afterMs) {
      const starting = spawn(JOBCTL, [...SERVE], { cwd: dir, env, stdio: "ignore" });
      const ended = once(starting, "exit");
      await sleep(afterMs);
      starting.kill("SIGKILL");
      await ended;
    },
    terminate,
    async restart(args, { program = options.program, env: changed } = {}) {
      if (!hasExited) await terminate();
      return await launch(dir, { ...options, program, env: { ...options.env, ...changed } }, args);
    },
    async stop({ force = false } = {}) {
      if (force) signal("SIGKILL");
      try {
        return await terminate();
      } finally {
        removeFolder(dir);
      }
    },
  };
}
