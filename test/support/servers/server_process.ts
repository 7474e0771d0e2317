import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import process from "node:process";

const READY_MS_MAX = 20_000;
const STOP_MS_MAX = 10_000;
/** As much of its output as is kept. */
const OUTPUT_MAX = 64_000;

/** A server of a test: a real process, ended with the process of the test at the latest. */
export interface ServerProcess {
  readonly pid: number;
  /** Resolves when it has ended. */
  readonly exited: Promise<void>;
  /** The end of what it wrote. */
  log(): string;
  /** SIGSTOP: it answers nothing, its connections stay open. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, SIGKILL when that takes too long; resolves when it is gone. */
  stop(): Promise<void>;
}

/** A loopback port that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** A folder in memory, where the system has one: no disk delays what is written to it. */
const MEMORY = "/dev/shm";

/** The parent of a server's folder. */
export function parentFolder(isInMemory = false): string {
  return isInMemory && existsSync(MEMORY) ? MEMORY : tmpdir();
}

/**
 * Run a server and wait until its output holds `ready`. Fails with its output, also when it is not
 * installed.
 */
export function startServerProcess(
  spec: {
    readonly program: string;
    readonly args: readonly string[];
    readonly ready: string;
    readonly cwd?: string;
  },
): Promise<ServerProcess> {
  return new Promise((resolve, reject) => {
    const child = spawn(spec.program, [...spec.args], {
      cwd: spec.cwd,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const killAtExit = () => child.kill("SIGKILL");
    process.once("exit", killAtExit);
    let output = "";
    const fail = (what: string) => {
      clearTimeout(timer);
      reject(new Error(`Cannot start ${spec.program}: it ${what}\n${output}`));
    };
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      fail(`was not ready within ${READY_MS_MAX} ms`);
    }, READY_MS_MAX);
    let hasExited = false;
    const exited = new Promise<void>((done) =>
      child.once("exit", () => {
        hasExited = true;
        process.removeListener("exit", killAtExit);
        // Its last words may come after its end.
        setTimeout(() => fail("ended at once"), 20);
        done();
      })
    );
    child.once("error", (error) => {
      process.removeListener("exit", killAtExit);
      fail(
        `does not run: ${error.message}. Is it installed? Run npm run services, which does that`,
      );
    });
    // Not by the child's own method, which sends one signal at most under Deno.
    const signal = (name: NodeJS.Signals) => {
      if (!hasExited) process.kill(child.pid!, name);
    };
    const read = (text: string) => {
      output = (output + text).slice(-OUTPUT_MAX);
      if (!output.includes(spec.ready)) return;
      clearTimeout(timer);
      resolve({
        pid: child.pid!,
        exited,
        log: () => output,
        freeze() {
          signal("SIGSTOP");
          // Its threads stop one after another, and some may still answer.
          while (!hasExited && !isStopped(child.pid!));
        },
        thaw: () => signal("SIGCONT"),
        async kill() {
          signal("SIGKILL");
          await exited;
        },
        async stop() {
          signal("SIGTERM");
          // A stopped process takes no signal but this.
          signal("SIGCONT");
          const late = setTimeout(() => signal("SIGKILL"), STOP_MS_MAX);
          await exited;
          clearTimeout(late);
        },
      });
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
  });
}

function isStopped(pid: number): boolean {
  const states = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "latin1");
    return stat[stat.lastIndexOf(")") + 2];
  });
  return states.every((state) => state === "T");
}
