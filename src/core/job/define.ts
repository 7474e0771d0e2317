import { quoteValue } from "../text/quote_value.ts";
import { JobError } from "../errors.ts";
import { checkKeys, FUNCTION, isObject, isText, type Keys, TEXT } from "../text/object_keys.ts";
import type { JobSettings } from "./gen/job_options.ts";
import { HANDLERS, type JobHandlers } from "./job.ts";
import type { JobFunction } from "../stored_types.ts";
import { isSystemKind, KIND_WANTED, kindProblem, RESERVED_KIND_PREFIX } from "./kind.ts";
import { definitionKeys } from "./option_table.ts";

/**
 * A job with options, as a module's default export or an argument of the library. Only `run` is
 * needed:
 *
 *     export default { timeout: "1m", run(x: number) { return x; } } satisfies JobInput;
 */
export interface JobInput extends JobSettings, JobHandlers {
  /** The job's name; in a module the file's name by default. */
  readonly kind?: string;
  /** The function that is the job. */
  readonly run: JobFunction;
  /** Parameters as text, `"x: number, note?: string"`, if they cannot be read from the source. */
  readonly params?: string;
}

/**
 * Why a function cannot be a job, in words; null if it can. A class cannot be called, and a
 * generator would return without running.
 */
export function uncallable(value: object): string | null {
  if (/^class\b/.test(Function.prototype.toString.call(value))) return "a class";
  const tag = Object.prototype.toString.call(value);
  return /^\[object (?:Async)?GeneratorFunction\]$/.test(tag) ? "a generator" : null;
}

const { keys: OPTION_KEYS, parts: PART_KEYS } = definitionKeys();

const JOB_KEYS: Keys = {
  kind: TEXT,
  run: FUNCTION,
  params: TEXT,
  ...OPTION_KEYS,
  onComplete: FUNCTION,
  onTerminate: FUNCTION,
  retryDelay: FUNCTION,
  onStateChange: FUNCTION,
};

/**
 * Check a job definition and return it, typed.
 *
 * @throws JobError `invalid_argument` for a missing `run`, an unknown key (with the nearest one) or
 * a value of the wrong type
 */
export function defineJob<Input extends JobInput>(input: Input): Input {
  checkJobInput(input);
  return input;
}

/** Check a job definition. @throws JobError `invalid_argument` with the path of the key at fault */
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
  if (isText(job.kind)) checkKind(job.kind);
  const failure = `Cannot define ${what}`;
  checkKeys(job, JOB_KEYS, { failure });
  for (const [name, keys] of Object.entries(PART_KEYS)) {
    const part = job[name];
    if (isObject(part)) checkKeys(part, keys, { failure, prefix: `${name}.` });
  }
}

/** Check that a value is an object, like definitions. @throws JobError `invalid_argument` */
export function assertJobObject(input: unknown): asserts input is object {
  if (isObject(input)) return;
  throw new JobError(
    "invalid_argument",
    `Cannot define a job from ${quoteValue(input)}: a definition is an object with "run"`,
    { hint: 'Give a named function, or { kind: "sum", run: (x: number) => x + 1 }' },
  );
}

/** Check a kind: 1 to 200 printable characters, unreserved. @throws JobError `invalid_argument` */
export function checkKind(kind: string): void {
  const problem = kindProblem(kind) ??
    (isSystemKind(kind)
      ? `kinds that begin with "${RESERVED_KIND_PREFIX}" are the product's own`
      : null);
  if (problem === null) return;
  throw new JobError("invalid_argument", `Cannot use ${quoteValue(kind)} as a kind: ${problem}`, {
    path: "kind",
    hint: `A kind is ${KIND_WANTED}`,
  });
}

/** The handlers of a definition, still called on it, so that `this` works. */
export function handlersOf(input: JobInput): JobHandlers {
  return Object.fromEntries(HANDLERS.map((name) => [name, input[name]?.bind(input)]));
}
