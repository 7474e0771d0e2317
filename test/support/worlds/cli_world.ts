import { create } from "@bufbuild/protobuf";
import { runCli } from "../../../src/cli/cli.ts";
import type { CliIo } from "../../../src/cli/io/io.ts";
import type { Terminal } from "../../../src/cli/screen/terminal.ts";
import type { ConnectOptions, JobClient } from "../../../src/rpc/client/client.ts";
import { createIdSource } from "../../../src/platform/ids.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import { seededRandom } from "../seeded_random.ts";
import { FollowResponseSchema, JobService } from "../../../src/rpc/gen/job_pb.ts";
import { SimClock } from "./sim_clock.ts";

/** When tests of the CLI take place. */
export const NOW = Date.UTC(2026, 10, 24, 12, 0, 0);

/** A request as the fake daemon got it. */
export interface Call {
  readonly method: string;
  readonly request: Record<string, unknown>;
}

/** What a run of the CLI in this process gave. */
export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly calls: readonly Call[];
  /** Null when no connection was asked for. */
  readonly settings: ConnectOptions | null;
}

export type Answers = Readonly<Record<string, unknown>>;

export interface CliOptions {
  /**
   * Answer of each method: a message or what makes one, or a function of the request. What is
   * missing answers an empty one.
   */
  readonly answers?: Answers;
  /** Off a terminal it asks for JSON, which most tests read, unless `JOBCTL_OUTPUT` is given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Whether stdout is a terminal; stdin and stderr too unless `input` is left out. */
  readonly isTerminal?: boolean;
  /** What the user types. */
  readonly input?: string;
  readonly columns?: number;
  readonly clock?: CliIo["clock"];
  readonly cwd?: string;
  /** Connects to a real daemon in place of the fake one; new ids are random then. */
  readonly connect?: (options: ConnectOptions) => JobClient;
  /** Takes the place of the process's own in views that take all of it. */
  readonly terminal?: Terminal;
  /** Called with what Ctrl-C does, or these signals. */
  readonly interruptible?: (interrupt: () => void, signals: readonly string[]) => void;
  /** True if nobody reads stdout any more. */
  readonly isUnread?: boolean;
}

function fakeClient(answers: Answers, calls: Call[]): JobClient {
  return new Proxy({}, {
    get(_target, method) {
      if (method === "then") return undefined;
      if (method === "close") return () => {};
      if (method === "follow" || method === "watch" || method === "workOnStore") {
        return streamOf(method, answers, calls);
      }
      return async (request: Record<string, unknown>) => {
        calls.push({ method: String(method), request });
        const answer = answers[String(method)];
        const given = typeof answer === "function" ? await answer(request) : answer;
        return create(JobService.method[method as keyof typeof JobService.method].output, given);
      };
    },
  }) as JobClient;
}

function streamOf(method: "follow" | "watch" | "workOnStore", answers: Answers, calls: Call[]) {
  const { output } = JobService.method[method];
  return async function* (request: Record<string, unknown>, { signal }: StreamOptions = {}) {
    calls.push({ method, request });
    const answer = answers[method] as StreamAnswer | undefined;
    for await (const step of answer?.(request, signal) ?? []) {
      if (signal?.aborted) return;
      yield create(output as typeof FollowResponseSchema, step);
    }
  };
}

function brokenPipe(): Promise<void> {
  return Promise.reject(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
}

interface StreamOptions {
  readonly signal?: AbortSignal;
}

/** Makes the messages of a stream. */
export type StreamAnswer = (
  request: Record<string, unknown>,
  signal: AbortSignal | undefined,
) => Iterable<object> | AsyncIterable<object>;

/** Run one command line, against a fake daemon if no other is given, and capture what it wrote. */
export async function cli(argv: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const output = { stdout: "", stderr: "" };
  const calls: Call[] = [];
  let settings: ConnectOptions | null = null;
  const clock = options.clock ?? new SimClock(NOW);
  const sink = (name: "stdout" | "stderr") => ({
    write(text: string) {
      output[name] += text;
      return Promise.resolve();
    },
  });
  const io: CliIo = {
    stdout: options.isUnread ? { write: brokenPipe } : sink("stdout"),
    stderr: sink("stderr"),
    stdin: (async function* () {
      yield options.input ?? "";
    })(),
    env: { ...(options.isTerminal ? {} : { JOBCTL_OUTPUT: "json" }), ...options.env },
    isTerminal: options.isTerminal ?? false,
    isInteractive: options.input !== undefined,
    columns: options.columns ?? 100,
    cwd: options.cwd ?? "/nowhere",
    clock,
    newId: createIdSource(clock, options.connect === undefined ? seededRandom(1) : systemRandom),
    ...options.terminal === undefined ? {} : { terminal: options.terminal },
    onInterrupt(listener, signals = ["SIGINT"]) {
      options.interruptible?.(listener, signals);
      return () => {};
    },
    connect(given) {
      settings = given;
      return options.connect?.(given) ?? fakeClient(options.answers ?? {}, calls);
    },
  };
  const code = await runCli(argv, io);
  return { code, ...output, calls, settings };
}

/** Run one command line, and interrupt it before the response to a method. */
export function interruptInCall(
  argv: readonly string[],
  method: string,
  answers: Answers,
): Promise<CliRun> {
  let interrupt = () => {};
  const answer = () => {
    // The listener comes once the call has been made.
    setImmediate(() => interrupt());
    return new Promise(() => {});
  };
  return cli(argv, {
    answers: { ...answers, [method]: answer },
    interruptible: (listener) => interrupt = listener,
  });
}
