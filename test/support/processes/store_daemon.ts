import assert from "node:assert/strict";
import { type Daemon, type DaemonOptions, startDaemon } from "./daemon.ts";

const APPEND = `
import { appendFileSync } from "node:fs";
import type { Context } from "ts-job";
export default async function append(ctx: Context, file: string, ms = 0): Promise<string> {
  ctx.signal.addEventListener("abort", () => appendFileSync(file, "aborted\\n"));
  appendFileSync(file, "started\\n");
  await new Promise((done) => setTimeout(done, ms));
  appendFileSync(file, "ended\\n");
  return "done";
}
`;

/**
 * A compiled daemon on the store at `url`, with the job `append`, which writes to a file what
 * becomes of it.
 */
export async function withStoreDaemon(
  url: string,
  body: (daemon: Daemon) => Promise<void>,
  options: DaemonOptions = {},
): Promise<void> {
  const env = { JOBCTL_STORE_URL: url, ...options.env };
  const daemon = await startDaemon({ modules: { "append.ts": APPEND }, ...options, env });
  try {
    await body(daemon);
  } finally {
    await daemon.stop({ force: true });
  }
}

/** What the daemon says of its readiness. */
export async function readiness(daemon: Daemon): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${daemon.httpPort}/readyz`);
  return { status: response.status, text: await response.text() };
}

/** The state of an instance as the CLI shows it; undefined when it cannot. */
export async function stateOf(daemon: Daemon, id: string): Promise<string | undefined> {
  const { stdout } = await daemon.ask(["get", "instance", id, "-o", "json"]);
  return JSON.parse(stdout || "{}").state;
}

/** Schedule an `append`; its id. */
export async function scheduleAppend(daemon: Daemon, ...args: readonly string[]): Promise<string> {
  const command = ["schedule", "append", ...args, "-o", "name"];
  const { code, stdout, stderr } = await daemon.jobctl(command);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

/** Lines of the daemon's log that tell of trouble. */
export function troubleOf(daemon: Daemon): readonly string[] {
  return daemon.log().split("\n").filter((line) => /^\S+ (WARN|ERROR)/.test(line));
}
