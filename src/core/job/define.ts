import type { DurationInput } from "../time/duration.ts";
import { JobError } from "../errors.ts";
import type { ArgumentInput, JobFunction, JobHandlers } from "./job.ts";
import { PRIORITY_MAX } from "./job.ts";
import { KIND_WANTED, kindProblem } from "./kind.ts";
import { quoteValue } from "../arguments/describe.ts";
import {
  CODE_STYLE,
  CONCURRENCY_WANTED,
  type ConcurrencyInput,
  parseConcurrency,
  parseRate,
  parseUnique,
  RATE_WANTED,
  type RateInput,
  type UniqueInput,
  uniqueWanted,
} from "./limit_inputs.ts";
import {
  type Check,
  checkKeys,
  isDuration,
  isFunction,
  isListOf,
  isObject,
  isOneOf,
  isParsed,
  isText,
  isWhole,
  isWithin,
  type Keys,
} from "../object_keys.ts";
import { isNodeName, NODE_NAME_WANTED, TAGS_MAX } from "./tags.ts";
import { type Misfire, MISFIRES, type Overlap, OVERLAPS } from "./schedule.ts";
import { TEXT_LENGTH_MAX } from "../text/text_limits.ts";

/** Retries of a job as its definition writes them; what is missing is inherited. */
export interface RetryInput {
  /** Retries after the first attempt: 0 none, −1 for ever. */
  readonly max?: number;
  readonly backoff?: "fixed" | "linear" | "exponential";
  readonly initial?: DurationInput;
  readonly cap?: DurationInput;
  /** Share of the wait that chance moves, 0 to 1. */
  readonly jitter?: number;
  /** What a retry follows; by default both. */
  readonly on?: readonly ("error" | "timeout")[];
  /** Errors that no retry follows: by name, exit code, or the signal that ended it. */
  readonly notOn?: readonly (string | number)[];
}

/** A job as a module's default export, or as the library is given it. Only `run` is needed. */
export interface JobInput extends JobHandlers {
  /** The job's name; in a module the file's name by default. */
  readonly kind?: string;
  readonly description?: string;
  /** The function that is the job. */
  readonly run: JobFunction;
  /** Parameters as text, `"x: number, note?: string"`, where they cannot be read from the source. */
  readonly params?: string;
  /** Lower runs first: 0 high, 5 default, 10 low; below 0 before those. */
  readonly priority?: number;
  /** Limit of one attempt; 0 is none. */
  readonly timeout?: DurationInput;
  /** Limit of the whole instance from its first due time, with all waits and retries; 0 is none. */
  readonly deadline?: DurationInput;
  /** From the abort signal to the kill. */
  readonly killAfter?: DurationInput;
  /** A number is the most retries. */
  readonly retry?: number | RetryInput;
  /** Takeovers after a lost worker before the instance is given up. */
  readonly crashesMax?: number;
  /** After a lost worker or node: take over up to `crashesMax` times, or give up at once. */
  readonly onCrash?: "retry" | "terminate";
  /** After a stop of the daemon ended its attempt: run again, or give it up; by default as onCrash says. */
  readonly onDrain?: "retry" | "terminate";
  /** At a stop: how long a running attempt may finish; by default as long as the worker setting says. */
  readonly drain?: DurationInput;
  /** False: a running attempt does not count as one of the node's workers. */
  readonly workerSlot?: boolean;
  /** How long final instances are kept. */
  readonly keep?: DurationInput | {
    readonly success?: DurationInput;
    readonly failure?: DurationInput;
  };
  readonly isolation?: "process" | "inline";
  /** Most instances that run at once, of the job or of each value of a parameter. */
  readonly concurrency?: number | ConcurrencyInput | readonly (number | ConcurrencyInput)[];
  /** Most starts in a span of time, `"10/1m"`, of the job or of each value of a parameter. */
  readonly rate?: string | RateInput | readonly (string | RateInput)[];
  /** What makes two instances the same one: "arguments", parameters, or an object. */
  readonly unique?: string | readonly string[] | UniqueInput;
  /** The pool of workers that it takes its share of. */
  readonly pool?: string;
  /** Most instances that wait at once; a further one is refused. */
  readonly waitingMax?: number;
  /** Tags that a node must have to run it, such as "gpu". */
  readonly needs?: string | readonly string[];
  /** Cron expression, nickname or `@every 15m`, or several. */
  readonly schedule?: string | readonly string[];
  /** IANA zone of the schedules. */
  readonly timezone?: string;
  /** Arguments of scheduled instances, by position or by name. */
  readonly args?: ArgumentInput;
  readonly overlap?: Overlap;
  /** With overlap "queue": how many ticks of one schedule wait at most. */
  readonly queueMax?: number;
  readonly misfire?: Misfire;
  /** Ticks that are older than this are missed, whatever `misfire` says. */
  readonly misfireWithin?: DurationInput;
  /** Each run is later than its tick by up to this much. */
  readonly jitter?: DurationInput;
  /** No tick is before this time, such as "2026-12-24" or "2026-12-24T18:00:00Z". */
  readonly startsAt?: string;
  /** No tick is at or after this time. */
  readonly endsAt?: string;
  /** Windows in which ticks are skipped: "22:00-06:00", "sat-sun" or "2026-12-24/2026-12-27". */
  readonly blackout?: string | readonly string[];
  /** After so many runs each schedule of the job is finished. */
  readonly runsMax?: number;
  /** How much of an attempt's output is kept, half from its beginning and half from its end. */
  readonly output?: {
    /** Bytes, or size text such as "1MiB". */
    readonly sizeMax?: number | string;
    readonly linesMax?: number;
  };
  /** What an attempt may use, all its processes together; for jobs in worker processes. */
  readonly limits?: {
    /** Bytes, or size text such as "512MB". */
    readonly memory?: number | string;
    /** Processor time. */
    readonly cpu?: DurationInput;
    /** Open files of each process. */
    readonly openFiles?: number;
  };
  /** Priority for the processor, from 0 to 19, last; for jobs in worker processes. */
  readonly nice?: number;
}

const isShare: Check = (value) => typeof value === "number" && value >= 0 && value <= 1;

/**
 * Why a function can be no job's, in words; null for one that can: a class cannot be called, and a generator would return
 * without having run.
 */
export function uncallable(value: object): string | null {
  if (/^class\b/.test(Function.prototype.toString.call(value))) return "a class";
  const tag = Object.prototype.toString.call(value);
  return /^\[object (?:Async)?GeneratorFunction\]$/.test(tag) ? "a generator" : null;
}

const DURATION = ["milliseconds or duration text", isDuration] as const;
const HANDLER = ["a function", isFunction] as const;
const TEXTS = [
  "text or a list of texts",
  (value: unknown) => isText(value) || (Array.isArray(value) && value.every(isText)),
] as const;
const TIME = ['text such as "2026-12-24" or "2026-12-24T18:00:00Z"', isText] as const;

const JOB_KEYS: Keys = {
  kind: ["text", isText],
  description: [
    `text of at most ${TEXT_LENGTH_MAX.description} characters`,
    (value) => isText(value) && (value as string).length <= TEXT_LENGTH_MAX.description,
  ],
  run: HANDLER,
  params: ["text", isText],
  priority: [
    `a whole number from ${-PRIORITY_MAX} to ${PRIORITY_MAX}`,
    isWithin(-PRIORITY_MAX, PRIORITY_MAX),
  ],
  timeout: DURATION,
  deadline: DURATION,
  killAfter: DURATION,
  retry: ["a number of retries or an object", (value) => isWhole(-1)(value) || isObject(value)],
  crashesMax: ["a whole number of 0 or more", isWhole(0)],
  onCrash: ['"retry" or "terminate"', isOneOf(["retry", "terminate"])],
  onDrain: ['"retry" or "terminate"', isOneOf(["retry", "terminate"])],
  drain: DURATION,
  workerSlot: ["true or false", (value) => typeof value === "boolean"],
  keep: ["a duration or an object", (value) => isDuration(value) || isObject(value)],
  isolation: ['"process" or "inline"', isOneOf(["process", "inline"])],
  concurrency: [CONCURRENCY_WANTED, isParsed(parseConcurrency)],
  rate: [RATE_WANTED, isParsed((value) => parseRate(value, CODE_STYLE))],
  unique: [uniqueWanted(CODE_STYLE), isParsed((value) => parseUnique(value, CODE_STYLE))],
  pool: ["text that is not empty", (value) => isText(value) && value !== ""],
  waitingMax: ["a whole number of 1 or more", isWhole(1)],
  needs: [
    `${NODE_NAME_WANTED}, or a list of at most ${TAGS_MAX}`,
    (value) =>
      isNodeName(value) || (isListOf(isNodeName)(value) && (value as string[]).length <= TAGS_MAX),
  ],
  schedule: TEXTS,
  timezone: ["text", isText],
  args: [
    "a list of values, or an object by parameter name",
    (value) => Array.isArray(value) || isObject(value),
  ],
  overlap: [
    '"skip", "queue", "replace" or "allow"',
    isOneOf(OVERLAPS),
  ],
  queueMax: ["a whole number from 1 to 1000", isWithin(1, 1_000)],
  misfire: ['"latest", "skip" or "all"', isOneOf(MISFIRES)],
  misfireWithin: DURATION,
  jitter: DURATION,
  startsAt: TIME,
  endsAt: TIME,
  blackout: TEXTS,
  runsMax: ["a whole number of 1 or more", isWithin(1, 2 ** 31 - 1)],
  output: ["an object", isObject],
  limits: ["an object", isObject],
  nice: ["a whole number from 0 to 19", isWithin(0, 19)],
  onComplete: HANDLER,
  onTerminate: HANDLER,
  retryDelay: HANDLER,
  onStateChange: HANDLER,
};

const RETRY_KEYS: Keys = {
  max: ["a whole number of -1 or more", isWhole(-1)],
  backoff: ['"fixed", "linear" or "exponential"', isOneOf(["fixed", "linear", "exponential"])],
  initial: DURATION,
  cap: DURATION,
  jitter: ["a number from 0 to 1", isShare],
  on: ['a list of "error" and "timeout"', isListOf(isOneOf(["error", "timeout"]))],
  notOn: [
    "a list of error names, signals and exit codes",
    isListOf((value) => isText(value) || isWhole(0)(value)),
  ],
};

const KEEP_KEYS: Keys = { success: DURATION, failure: DURATION };

const SIZE = [
  'bytes or size text such as "1MiB"',
  (value: unknown) => isText(value) || isWhole(0)(value),
] as const;

const OUTPUT_KEYS: Keys = {
  sizeMax: SIZE,
  linesMax: ["a whole number from 10 to 1000000", isWithin(10, 1_000_000)],
};

const LIMIT_KEYS: Keys = {
  memory: SIZE,
  cpu: DURATION,
  openFiles: ["a whole number from 64 to 1048576", isWithin(64, 1_048_576)],
};

/** Keys of the options that may be objects. */
const PART_KEYS: Readonly<Record<string, Keys>> = {
  retry: RETRY_KEYS,
  keep: KEEP_KEYS,
  output: OUTPUT_KEYS,
  limits: LIMIT_KEYS,
};

/**
 * Check a job definition and return it, typed.
 *
 * @throws JobError `invalid_argument` for a missing `run`, an unknown key (naming the nearest) or a value of the wrong type
 */
export function defineJob<Input extends JobInput>(input: Input): Input {
  checkJobInput(input);
  return input;
}

/**
 * Check that a value is a job definition.
 *
 * @throws JobError `invalid_argument` with the path of the key at fault
 */
export function checkJobInput(input: unknown): asserts input is JobInput {
  assertJobObject(input);
  const job = input as Readonly<Record<string, unknown>>;
  const what = isText(job.kind) ? `job "${job.kind}"` : "a job";
  if (job.run === undefined) {
    throw new JobError("invalid_argument", `Cannot define ${what}: it has no function "run"`, {
      path: "run",
      hint: "Write it as { run: (x: number) => x + 1 }",
    });
  }
  const found = typeof job.run === "function" ? uncallable(job.run) : null;
  if (found !== null) {
    throw new JobError("invalid_argument", `Cannot define ${what}: "run" is ${found}`, {
      path: "run",
      hint: "Give a plain function, async or not, that uses it",
    });
  }
  if (isText(job.kind)) checkKind(job.kind as string);
  const failure = `Cannot define ${what}`;
  checkKeys(job, JOB_KEYS, { failure });
  for (const [name, keys] of Object.entries(PART_KEYS)) {
    const part = job[name];
    if (isObject(part)) checkKeys(part as object, keys, { failure, prefix: `${name}.` });
  }
}

/** Check that a value is an object, as definitions are. @throws JobError `invalid_argument` */
export function assertJobObject(input: unknown): asserts input is object {
  if (isObject(input)) return;
  throw new JobError(
    "invalid_argument",
    `Cannot define a job from ${quoteValue(input)}: a definition is an object with "run"`,
    { hint: 'Give a named function, or { kind: "sum", run: (x: number) => x + 1 }' },
  );
}

/** Kinds that begin so belong to the product. */
const RESERVED_KIND_PREFIX = "system.";

/**
 * Check a kind: 1 to 200 printable characters, not of the product's own.
 *
 * @throws JobError `invalid_argument`
 */
export function checkKind(kind: string): void {
  const problem = kindProblem(kind) ??
    (kind.startsWith(RESERVED_KIND_PREFIX)
      ? `kinds that begin with "${RESERVED_KIND_PREFIX}" are the product's own`
      : null);
  if (problem === null) return;
  throw new JobError("invalid_argument", `Cannot use ${quoteValue(kind)} as a kind: ${problem}`, {
    path: "kind",
    hint: `A kind is ${KIND_WANTED}`,
  });
}
