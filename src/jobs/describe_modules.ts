import { type ChildProcess, spawn } from "node:child_process";
import type { Clock } from "../platform/clock.ts";
import type {
  DescribeAnswer,
  DescribeError,
  DescribeRequest,
  JobDescriptor,
} from "./describe_main.ts";

/** How modules are imported outside this process. */
export interface DescribeOptions {
  /** argv of the describer. */
  readonly command: readonly string[];
  readonly clock: Clock;
  /** How long one module may take to load. */
  readonly limitMs: number;
}

/** What one module defines, or why it cannot be used. */
export type ModuleDescription =
  | { readonly jobs: readonly JobDescriptor[] }
  | { readonly error: DescribeError };

/** The process has to start before the first module loads; on a busy machine that takes longer than a module. */
const START_LIMIT_MS = 30_000;
const STDERR_LENGTH_MAX = 2_000;

type Event =
  | { readonly type: "answer"; readonly answer: DescribeAnswer }
  | { readonly type: "exit"; readonly code: number | null; readonly signal: string | null }
  | { readonly type: "error"; readonly error: Error }
  | { readonly type: "late" };

/**
 * Import modules in a child process and tell what each defines. One that hangs or ends the process is refused, and a new
 * process takes the rest. Never rejects.
 *
 * @returns one description for each request, in order
 */
export async function describeModules(
  requests: readonly DescribeRequest[],
  options: DescribeOptions,
): Promise<readonly ModuleDescription[]> {
  const descriptions: ModuleDescription[] = [];
  while (descriptions.length < requests.length) {
    const describer = new Describer(options);
    try {
      const problem = await describer.start();
      if (problem !== null) {
        const rest = requests.slice(descriptions.length);
        descriptions.push(...rest.map(() => ({ error: { message: problem } })));
      }
      while (describer.isAlive && descriptions.length < requests.length) {
        descriptions.push(await describer.describe(requests[descriptions.length]!));
      }
    } finally {
      describer.kill();
    }
  }
  return descriptions;
}

/** One child process that imports modules. */
class Describer {
  isAlive = true;
  readonly #options: DescribeOptions;
  readonly #child: ChildProcess;
  readonly #events: Event[] = [];
  #wake: (() => void) | null = null;
  #stderr = "";

  constructor(options: DescribeOptions) {
    this.#options = options;
    const [program, ...args] = options.command;
    this.#child = spawn(program!, args, {
      // A group of its own, so that what a module starts can be killed with it.
      detached: true,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.on("data", (chunk) => {
      this.#stderr = (this.#stderr + String(chunk)).slice(-STDERR_LENGTH_MAX);
    });
    this.#child.on("message", (message) => {
      const answer = parseAnswer(message);
      if (answer !== null) this.#push({ type: "answer", answer });
    });
    this.#child.on("close", (code, signal) => this.#push({ type: "exit", code, signal }));
    this.#child.on("error", (error) => this.#push({ type: "error", error }));
  }

  /** Null once it is ready, else why it is not. */
  async start(): Promise<string | null> {
    const event = await this.#next((answer) => answer.type === "ready", START_LIMIT_MS);
    if (event.type === "answer") return null;
    this.isAlive = false;
    return `Cannot start the process that loads modules: ${this.#reasonOf(event, START_LIMIT_MS)}`;
  }

  async describe(request: DescribeRequest): Promise<ModuleDescription> {
    this.#child.send(JSON.stringify(request), () => {});
    const { limitMs } = this.#options;
    const isAnswer = (answer: DescribeAnswer) =>
      answer.type !== "ready" && answer.path === request.path;
    const event = await this.#next(isAnswer, limitMs);
    if (event.type === "answer") {
      return event.answer.type === "jobs"
        ? { jobs: event.answer.jobs }
        : { error: (event.answer as { readonly error: DescribeError }).error };
    }
    this.isAlive = false;
    return { error: { message: `Loading it ${this.#reasonOf(event, limitMs)}` } };
  }

  /** Kill the process and whatever it started. */
  kill(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended, and nothing of its group is left.
    }
    if (this.#child.connected) this.#child.disconnect();
  }

  #push(event: Event): void {
    this.#events.push(event);
    this.#wake?.();
  }

  /** The next wanted answer, or what came instead of it. */
  async #next(isWanted: (answer: DescribeAnswer) => boolean, limitMs: number): Promise<Event> {
    const timer = this.#options.clock.timer(limitMs, () => this.#push({ type: "late" }));
    try {
      while (true) {
        const event = this.#events.shift();
        if (event === undefined) await new Promise<void>((resolve) => this.#wake = resolve);
        else if (event.type !== "answer" || isWanted(event.answer)) return event;
      }
    } finally {
      timer.cancel();
    }
  }

  #reasonOf(event: Event, limitMs: number): string {
    if (event.type === "late") return `took longer than ${limitMs} ms and was stopped`;
    if (event.type === "error") return event.error.message;
    if (event.type !== "exit") return "failed";
    const how = event.signal === null ? `with code ${event.code}` : `by ${event.signal}`;
    const last = this.#stderr.trim().split("\n").find((line) => /error/i.test(line));
    return `ended the process ${how}${last === undefined ? "" : `: ${last.trim()}`}`;
  }
}

/** What a message says, null for one that is none of ours: modules can send too. */
function parseAnswer(message: unknown): DescribeAnswer | null {
  if (typeof message !== "string") return null;
  try {
    const answer = JSON.parse(message) as DescribeAnswer | null;
    return typeof answer?.type === "string" ? answer : null;
  } catch {
    return null;
  }
}
