import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { JOBCTL, type RunResult } from "./daemon.ts";

const RUN_MS_MAX = 10_000;

/** A user of the machine that is neither root nor the one of the tests. */
export const FOREIGN_UID = 65_534;

/** Why attacks by another user cannot be tried here; false when they can. */
export const NEEDS_ROOT: string | false = process.getuid?.() === 0
  ? false
  : "only root can start a process of another user";

/**
 * Run the compiled file as that user to its end, or for ten seconds; `env` is its whole
 * environment.
 */
export function runAsForeign(
  args: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<RunResult> {
  const child = spawn(JOBCTL, [...args], {
    ...options,
    env: { PATH: "/usr/bin:/bin", ...options.env },
    uid: FOREIGN_UID,
    gid: FOREIGN_UID,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => output[name] += text);
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? -1, ...output });
    });
  });
}

/** A process of another user that listens and keeps what it is sent. */
export interface ForeignListener {
  readonly port: number;
  /** How many connections came, and what they brought. */
  heard(): { readonly connections: number; readonly bytes: number };
  /** Stop the process, so that the kernel takes connections which nobody accepts. */
  freeze(): void;
  /** Let it go on; resolves when it has read the first connection to its end. */
  thaw(): Promise<void>;
  end(): Promise<void>;
}

const SOURCE = `
const server = require("node:net").createServer((socket) => {
  process.stdout.write("connection\\n");
  socket.on("data", (bytes) => process.stdout.write("bytes " + bytes.length + "\\n"));
  socket.on("end", () => process.stdout.write("end\\n"));
  socket.on("error", () => {});
});
const [port, host] = process.argv.slice(-2);
const where = host === "unix" ? { path: port } : { port: Number(port), host };
server.listen(where, () => process.stdout.write("listening " + (server.address().port ?? 0) + "\\n"));
`;

/**
 * Let another user listen on `port`, 0 for a free one; with "unix" as the host on the socket of
 * that path.
 */
export async function foreignListener(
  port: number | string,
  host = "127.0.0.1",
): Promise<ForeignListener> {
  const child: ChildProcess = spawn(process.execPath, ["-e", SOURCE, "--", String(port), host], {
    uid: FOREIGN_UID,
    gid: FOREIGN_UID,
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  const exited = once(child, "exit");
  let end = () => {};
  const ended = new Promise<void>((resolve) => end = resolve);
  const listening = new Promise<number>((resolve, reject) => {
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      const found = /listening (\d+)/.exec(output);
      if (found) resolve(Number(found[1]));
      if (output.includes("end\n")) end();
    });
    void exited.then(() => reject(new Error("The listener of another user ended at once")));
  });
  return {
    port: await listening,
    heard: () => ({
      connections: output.split("connection").length - 1,
      bytes: [...output.matchAll(/bytes (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0),
    }),
    freeze: () => void child.kill("SIGSTOP"),
    async thaw() {
      child.kill("SIGCONT");
      await ended;
    },
    async end() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
