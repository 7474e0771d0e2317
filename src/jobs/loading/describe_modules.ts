import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { PAYLOAD_BYTES_MAX } from "../../core/payload_chars.ts";
import { channelEnvironment, ChildChannel } from "../../platform/process/child_channel.ts";
import { IpcChannel } from "../../platform/process/ipc_channel.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Account } from "../../platform/system/accounts.ts";
import {
  killFamilyInTurns,
  killGroup,
  MARKER_VARIABLE,
} from "../../platform/process/descendants.ts";
import { isWindows } from "../../platform/system/runtime.ts";
import { openFilesOfChildren } from "../../platform/process/process_control.ts";
import { type ProcessSetup, startAs } from "../../platform/process/process_setup.ts";
import type {
  DescribeAnswer,
  DescribeError,
  DescribeRequest,
  JobDescriptor,
} from "./describe_main.ts";
import type { Surroundings } from "./describe_surroundings.ts";
import { minimalEnvironment } from "./minimal_environment.ts";
import { handlersThat } from "../../core/job/job.ts";
import { isObject } from "../../core/text/object_keys.ts";
import { cutText } from "../../core/text/text_bytes.ts";
import type { PlainInput } from "./resolve_input.ts";

/** Most jobs of one module. */
const JOBS_MAX = 10_000;
/** Longest message and hint, in bytes. */
const TEXT_BYTES_MAX = 8_192;

/**
 * Read a message of the process that loads modules. Null if it is not one of ours, because modules
 * can send messages too.
 */
function parseAnswer(message: unknown): DescribeAnswer | null {
  if (typeof message !== "string") return null;
  let answer: unknown;
  try {
    answer = JSON.parse(message);
  } catch {
    return null;
  }
  if (!isObject(answer)) return null;
  const { type, path } = answer;
  if (type === "ready") return { type };
  if (typeof path !== "string") return null;
  if (type === "jobs") {
    const jobs = readJobs(answer.jobs);
    return jobs === null ? null : { type, path, jobs };
  }
  const error = type === "failed" ? readError(answer.error) : null;
  return error === null ? null : { type: "failed", path, error };
}

function readJobs(value: unknown): readonly JobDescriptor[] | null {
  if (!Array.isArray(value) || value.length > JOBS_MAX) return null;
  const jobs = value.map(readJob);
  return jobs.some((job) => job === null) ? null : jobs as readonly JobDescriptor[];
}

function readJob(value: unknown): JobDescriptor | null {
  if (!isObject(value) || typeof value.kind !== "string") return null;
  const { kind, input, hasHandler } = value;
  if (!isObject(input) || !isObject(hasHandler)) return null;
  return {
    kind,
    input: input as PlainInput,
    hasHandler: handlersThat((name) => hasHandler[name] === true),
  };
}

function readError(value: unknown): DescribeError | null {
  if (!isObject(value) || typeof value.message !== "string") return null;
  const { message, hint, file, line, column } = value;
  return {
    message: cutText(message, TEXT_BYTES_MAX),
    ...(typeof hint === "string" ? { hint: cutText(hint, TEXT_BYTES_MAX) } : {}),
    ...(typeof file === "string" ? { file: cutText(file, TEXT_BYTES_MAX) } : {}),
    ...(Number.isSafeInteger(line) ? { line: line as number } : {}),
    ...(Number.isSafeInteger(column) ? { column: column as number } : {}),
  };
}

/** A module to describe. */
export type ModuleRequest = Omit<DescribeRequest, "env" | "secrets" | "cwd"> & {
  readonly surroundings: Surroundings;
};

/** Settings of the import of modules outside this process. */
export interface DescribeOptions {
  /** argv of the describer. */
  readonly command: readonly string[];
  readonly clock: Clock;
  /** Time limit for loading one module. */
  readonly limitMs: number;
  /** True if the describer's channel is the runtime's own; by default only on Windows. */
  readonly usesIpc?: boolean;
}

/** The definitions of one module, or the reason why it cannot be used. */
export type ModuleDescription =
  | { readonly jobs: readonly JobDescriptor[] }
  | { readonly error: DescribeError };

/** Limit of the start of the process. On a busy machine it takes longer than loading a module. */
const START_LIMIT_MS = 30_000;
/**
 * Total time for the modules of another user, and most hung ones per group. Otherwise, anyone with
 * write access to a folder of modules could delay the start, and with it all jobs.
 */
const FOREIGN_LIMIT_MS = 30_000;
const HANGING_MAX = 10;
const STDERR_LENGTH_MAX = 2_000;
/** Bytes of stderr after which its pipe pauses. */
const STDERR_BYTES_AT_ONCE = 1_048_576;
const STDERR_REST_MS = 50;
/** File descriptor of the child for its messages. */
const CHANNEL_DESCRIPTOR = 3;
/** Longest message, in bytes: four payloads with every character escaped. */
const ANSWER_BYTES_MAX = 8 * PAYLOAD_BYTES_MAX + 65_536;
/** Answers buffered until they are read. */
const EVENTS_MAX = 2;
/** Tolerated messages sent by modules themselves, for example to a missing program. */
const FOREIGN_MAX = 100;

type Event =
  | { readonly type: "answer"; readonly answer: DescribeAnswer }
  | { readonly type: "exit"; readonly code: number | null; readonly signal: string | null }
  | { readonly type: "error"; readonly error: Error }
  | { readonly type: "fault"; readonly problem: string }
  | { readonly type: "late" };

/**
 * Import modules in a child process and describe the jobs of each. A module that hangs or ends the
 * process is refused, and a new process continues with the rest. Never rejects.
 *
 * @returns one description for each request, in order
 */
export async function describeModules(
  requests: readonly ModuleRequest[],
  options: DescribeOptions,
): Promise<readonly ModuleDescription[]> {
  const descriptions = new Map<ModuleRequest, ModuleDescription>();
  for (const group of Map.groupBy(requests, accountKey).values()) {
    await describeGroup(group, options, descriptions);
  }
  return requests.map((request) => descriptions.get(request)!);
}

function accountKey({ surroundings }: ModuleRequest): string {
  const { uid, gid } = surroundings.account;
  return uid === undefined ? "" : `${uid} ${gid}`;
}

/** Describe modules whose code runs under one account. */
async function describeGroup(
  requests: readonly ModuleRequest[],
  options: DescribeOptions,
  descriptions: Map<ModuleRequest, ModuleDescription>,
): Promise<void> {
  const waiting = [...requests];
  const { clock } = options;
  const isForeign = requests[0]?.surroundings.account.uid !== undefined;
  const endMs = clock.now().monotonicMs + (isForeign ? FOREIGN_LIMIT_MS : Infinity);
  let hanging = 0;
  const refuseRest = (message: string) => {
    for (const request of waiting.splice(0)) descriptions.set(request, { error: { message } });
  };
  while (waiting.length > 0) {
    if (hanging >= HANGING_MAX) {
      refuseRest(`Not loaded: ${HANGING_MAX} modules before it ended or blocked their process`);
      return;
    }
    const describer = new Describer(options, waiting[0]!.surroundings.account);
    try {
      const problem = await describer.start();
      if (problem !== null) {
        refuseRest(problem);
      }
      while (describer.isAlive && waiting.length > 0) {
        if (clock.now().monotonicMs >= endMs) {
          refuseRest(
            `Not loaded: the modules before it of the same user took ${FOREIGN_LIMIT_MS} ms`,
          );
          break;
        }
        const request = waiting.shift()!;
        descriptions.set(request, await describer.describe(request));
      }
      if (!describer.isAlive) hanging += 1;
    } finally {
      await describer.kill();
    }
  }
}

let describerCount = 0;

/** One child process that imports modules. */
class Describer {
  isAlive = true;
  readonly #options: DescribeOptions;
  readonly #child: ChildProcess;
  readonly #channel: ChildChannel | IpcChannel | null;
  /** Identifies everything that a module starts, even after it left the group. */
  readonly #marker = `describe-${process.pid}-${++describerCount}`;
  readonly #events: Event[] = [];
  #wake: (() => void) | null = null;
  #stderr = "";
  #foreign = 0;

  constructor(options: DescribeOptions, account: Account) {
    this.#options = options;
    const start = startAs(account);
    const setup: ProcessSetup = { openFiles: openFilesOfChildren() ?? undefined, ...start.setup };
    const { usesIpc = isWindows() } = options;
    const [program, ...args] = options.command;
    this.#child = spawn(program!, [...args, JSON.stringify(setup)], {
      // A separate group, so that everything a module starts can be killed. On Windows it would get
      // a separate console window and outlive us.
      detached: !isWindows(),
      windowsHide: true,
      env: {
        ...minimalEnvironment(account),
        ...start.env,
        NO_COLOR: "1",
        [MARKER_VARIABLE]: this.#marker,
        ...(usesIpc ? {} : channelEnvironment(CHANNEL_DESCRIPTOR)),
      },
      ...start.ids,
      stdio: ["ignore", "ignore", "pipe", usesIpc ? "ipc" : "pipe"],
      serialization: "json",
    });
    this.#readStderr();
    this.#channel = usesIpc ? this.#openIpc() : this.#openPipe();
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

  async describe({ surroundings, ...request }: ModuleRequest): Promise<ModuleDescription> {
    const { env, secrets, cwd } = surroundings;
    const message: DescribeRequest = { ...request, env, secrets, cwd };
    this.#channel?.send(JSON.stringify(message));
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

  /** Kill the process and its descendants. */
  async kill(): Promise<void> {
    const { pid } = this.#child;
    if (pid === undefined) return;
    // Stopped first, so that it begins no other while what left its group is looked for.
    killGroup(pid, "SIGSTOP");
    const family = { marker: this.#marker, sessions: new Set([pid]) };
    await killFamilyInTurns(family, pid, this.#options.clock);
    killGroup(pid, "SIGKILL");
    this.#channel?.close();
  }

  /** Keep its end, and limit the reading speed. */
  #readStderr(): void {
    const { stderr } = this.#child;
    let bytes = 0;
    stderr?.on("data", (chunk: Uint8Array) => {
      this.#stderr = (this.#stderr + String(chunk)).slice(-STDERR_LENGTH_MAX);
      bytes += chunk.length;
      if (bytes < STDERR_BYTES_AT_ONCE) return;
      bytes = 0;
      stderr.pause();
      this.#options.clock.timer(STDERR_REST_MS, () => stderr.resume(), { unref: true });
    });
  }

  #openPipe(): ChildChannel | null {
    const stream = (this.#child.stdio as (unknown[] | undefined))?.[CHANNEL_DESCRIPTOR];
    if (!stream) return null;
    return new ChildChannel({
      clock: this.#options.clock,
      stream: stream as Duplex,
      lineBytesMax: ANSWER_BYTES_MAX,
      onMessage: (message) => this.#take(message),
      onFault: (problem) => this.#push({ type: "fault", problem }),
    });
  }

  #openIpc(): IpcChannel {
    return new IpcChannel(this.#child, (message) => this.#take(message));
  }

  /** Modules can send messages too: unexpected ones are ignored, too many end the process. */
  #take(message: unknown): void {
    const answer = parseAnswer(message);
    if (answer !== null && this.#events.length < EVENTS_MAX) {
      this.#push({ type: "answer", answer });
    } else if (++this.#foreign > FOREIGN_MAX) {
      this.#channel?.close();
      this.#push({ type: "fault", problem: `more than ${FOREIGN_MAX} unexpected messages` });
    }
  }

  #push(event: Event): void {
    this.#events.push(event);
    this.#wake?.();
  }

  /** The next expected message, or any other event that came first. */
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
    if (event.type === "fault") return `sent the daemon ${event.problem}, and was stopped`;
    if (event.type !== "exit") return "failed";
    const how = event.signal === null ? `with code ${event.code}` : `by ${event.signal}`;
    // The first line, and a secret in it, may lack its beginning.
    const lines = this.#stderr.split("\n").slice(this.#stderr.length < STDERR_LENGTH_MAX ? 0 : 1);
    const last = lines.find((line) => /error/i.test(line));
    return `ended the process ${how}${last === undefined ? "" : `: ${last.trim()}`}`;
  }
}
