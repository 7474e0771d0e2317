import type { ArgumentInput, Signature } from "../core/arguments/signature.ts";
import { convertArguments as convert } from "../core/arguments/convert.ts";
import { quoteValue } from "../core/text/quote_value.ts";
import type { JobInput } from "../core/job/define.ts";
import type { JobOptions } from "../core/job/gen/job_options.ts";
import { JOB_DEFAULTS } from "../core/job/option_table.ts";
import { JobError } from "../core/errors.ts";
import type { Instance } from "../core/instance.ts";
import type { JobDefinition } from "../core/job/job.ts";
import type { JobFunction } from "../core/stored_types.ts";
import { checkOptions, isObject, isText, type KeysOf, TEXT } from "../core/text/object_keys.ts";
import { decodeResults } from "../core/arguments/decode_results.ts";
import { resolveFunctionJob } from "../jobs/loading/function_job.ts";
import { UNTYPED_SIGNATURE } from "../jobs/types/read_signature.ts";
import { isSchema, type StandardSchema, validateAll } from "./standard_schema.ts";
import type { SchemaParams } from "./typed_job.ts";

/** Default options of jobs: their functions run in this process. */
export const LIBRARY_JOB_OPTIONS: JobOptions = { ...JOB_DEFAULTS, isolation: "inline" };

/** A definition as the library accepts it. */
export interface LibraryJobInput extends Omit<JobInput, "params"> {
  /** Parameters as text, `"x: number, note?: string"`, or as a schema, or as a list of schemas. */
  readonly params?: string | SchemaParams;
  /** Type of the result as text: `"Date"`; `"[sum: number, product: number]"` is two results. */
  readonly returns?: string;
}

/** A job to register, and the schemas that check its arguments. */
export interface LibraryJob {
  readonly job: JobDefinition;
  /** Null if the signature checks them. */
  readonly schemas: readonly StandardSchema[] | null;
}

/**
 * The job of a function, or of a definition.
 *
 * @throws JobError `invalid_argument` like `resolveFunctionJob`; also if `params` is neither text
 * nor schemas
 */
export function resolveLibraryJob(
  given: LibraryJobInput | JobFunction,
  inherited: Omit<Parameters<typeof resolveFunctionJob>[1], "returns">,
): LibraryJob {
  const input: LibraryJobInput = typeof given === "function"
    ? { kind: given.name, run: given }
    : given;
  const { params, returns, ...rest } = isObject(input) ? input : {} as LibraryJobInput;
  if (returns !== undefined && !isText(returns)) {
    throw new JobError("invalid_argument", `Cannot define a job: "returns" is not text`, {
      path: "returns",
      hint: 'Write the type as text: returns: "Date"',
    });
  }
  const schemas = params === undefined || typeof params === "string" ? null : schemasOf(params);
  if (schemas !== null) {
    const checked = { ...rest, params: paramsOf(schemas), run: checkedRun(input, schemas) };
    return { job: resolveFunctionJob(checked, { ...inherited, returns }), schemas };
  }
  const plain = isObject(input) && Object.hasOwn(input, "returns") ? { ...rest, params } : input;
  return { job: resolveFunctionJob(plain as JobInput, { ...inherited, returns }), schemas };
}

function schemasOf(params: SchemaParams): readonly StandardSchema[] {
  const list: readonly unknown[] = Array.isArray(params) ? params : [params];
  if (list.every(isSchema)) return list;
  throw new JobError("invalid_argument", `Cannot define a job: "params" has no types`, {
    path: "params",
    hint: 'Give text such as "x: number", a schema of Zod, Valibot or ArkType, or a list of these',
  });
}

/** Parameters that accept any value, because the schemas check them; the context is last. */
function paramsOf(schemas: readonly StandardSchema[]): string {
  return [...schemas.map((_, index) => `argument${index + 1}?: unknown`), "context?: Context"]
    .join(", ");
}

function checkedRun(input: LibraryJobInput, schemas: readonly StandardSchema[]): JobFunction {
  const { kind = "", run } = input;
  if (typeof run !== "function") return run;
  // Repeated at each attempt, because a schema's output need not survive JSON.
  return async (...args: unknown[]) => {
    const values = await validateAll(kind, schemas, args.slice(0, schemas.length));
    return await run.call(input, ...values, args[schemas.length]);
  };
}

const CONVERT_KEYS: KeysOf<{ readonly kind?: string }> = { kind: TEXT };

/**
 * Convert arguments, by position or by name, to the types of a job's signature, like `scheduleJob`.
 *
 * @param options.kind the job's kind, for the messages
 * @throws JobError `invalid_argument` with the path of the argument, such as `order.lines[2].price`
 */
export function convertArguments(
  signature: Signature,
  args: ArgumentInput,
  options?: { readonly kind?: string },
): unknown[] {
  const checked = checkOptions(options, CONVERT_KEYS, { failure: "Cannot convert arguments" });
  return convert(signature, args, checked);
}

/** The arguments of an instance, as JSON values. */
export function argumentsOf(instance: Instance): readonly unknown[] {
  return JSON.parse(instance.argumentsJson);
}

/**
 * The results of a completed instance; empty for any other.
 *
 * @param signature the job's. With it, results are values of the declared types, else JSON values
 */
export function resultsOf(instance: Instance, signature?: Signature): readonly unknown[] {
  if (!isObject(instance) || instance.resultsJson === undefined) {
    throw new JobError("invalid_argument", `Cannot take results of ${quoteValue(instance)}`, {
      path: "instance",
      hint: "Give the instance that manager.wait() returned",
    });
  }
  return instance.resultsJson === null
    ? []
    : decodeResults(instance.resultsJson, signature ?? UNTYPED_SIGNATURE);
}

/** Add arguments and results as values. They are not enumerable, so copies and JSON have texts. */
export function withValues<T extends Instance>(
  instance: T,
  resultsOf: (instance: Instance) => readonly unknown[],
): T & { readonly arguments: readonly unknown[]; readonly results: readonly unknown[] } {
  const read = <V>(name: string, value: () => V) => ({
    configurable: true,
    get(this: object): V {
      const found = value();
      Object.defineProperty(this, name, { value: found });
      return found;
    },
  });
  return Object.defineProperties({ ...instance }, {
    arguments: read("arguments", () => JSON.parse(instance.argumentsJson) as unknown[]),
    results: read("results", () => resultsOf(instance)),
  }) as ReturnType<typeof withValues<T>>;
}

/** The error of an instance that did not succeed. */
export function failureOf({ id, kind, state, reason, error }: Instance): JobError {
  const [code, what] = state === "canceled"
    ? ["canceled", "was canceled"] as const
    : state === "timedOut"
    ? ["timeout", "timed out"] as const
    : ["internal", "failed"] as const;
  const said = error === null ? reason ?? state : error.message;
  const cause = error === null ? undefined : Object.assign(new Error(error.message), {
    name: error.name,
  });
  return new JobError(code, `Cannot take the result of job "${kind}": it ${what}: ${said}`, {
    hint: `Its history and log are under the id ${id}`,
    cause,
  });
}
