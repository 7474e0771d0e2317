import type { JobInput } from "../core/job/define.ts";
import type { Instance } from "../core/instance.ts";
import type { Context, JobDefinition, JobHandlers } from "../core/job/job.ts";
import type { ScheduleOptions } from "../core/job/gen/run_options.ts";
import type { IsAny, Stored } from "../core/stored_types.ts";
import type { SchemaInput, SchemaOutput, StandardSchema } from "./standard_schema.ts";

/** Handlers of one instance instead of its job's. Called only if this manager runs the instance. */
export type InstanceHandlers = Pick<JobHandlers, "onComplete" | "onTerminate" | "onStateChange">;

/** Options for scheduling an instance with the library. */
export interface LibraryScheduleOptions extends ScheduleOptions, InstanceHandlers {}

/** An instance with its arguments and results as values. */
export interface JobInstance<Results extends readonly unknown[] = readonly unknown[]>
  extends Instance {
  /** As stored: JSON values. */
  readonly arguments: readonly unknown[];
  /** Results of the completed attempt as declared, else as JSON values. Empty before completion. */
  readonly results: Readonly<Partial<Results>>;
}

/** Compiler error for a parameter that its function would receive with a different type. */
type NeedsParams = 'this type does not survive JSON: state it in "params", as text or by a schema';

/** `T`, if its values are unchanged after being stored as JSON. */
type Storable<T> = IsAny<T> extends true ? T : [Stored<T>] extends [T] ? T : NeedsParams;

/** The schema of one parameter, or a list of them for several. */
export type SchemaParams = StandardSchema<any, any> | readonly StandardSchema<any, any>[];

/** One schema is one parameter. */
type SchemaList<Params> = Params extends readonly unknown[] ? Params : [Params];

/** Parameters of the function of a job with schemas: the schemas' outputs, then the context. */
export type SchemaRunArguments<Params extends SchemaParams> = [
  ...SchemaOutputs<SchemaList<Params>>,
  context: Context,
];
type SchemaOutputs<List extends readonly unknown[]> = {
  -readonly [Index in keyof List]: SchemaOutput<List[Index]>;
};

/** Arguments to schedule a job with schemas. */
export type SchemaArguments<Params extends SchemaParams> = OptionalLast<
  SchemaInputs<SchemaList<Params>>
>;
/** Trailing ones may be omitted if their schemas accept undefined. */
type OptionalLast<List> = List extends [...infer Before, infer Last]
  ? undefined extends Last ? [...OptionalLast<Before>, Last?] : List
  : List;
type SchemaInputs<List extends readonly unknown[]> = {
  -readonly [Index in keyof List]: Storable<SchemaInput<List[Index]>>;
};

/** Arguments of a function without `params`, which are passed as JSON stores them. */
export type PlainArguments<Args extends readonly unknown[]> = {
  [Index in keyof Args]: Storable<Args[Index]>;
};

/** Results of a function: none, or one as JSON stores it. */
export type PlainResults<Result> = [Awaited<Result>] extends [void] ? readonly []
  : readonly [Stored<Awaited<Result>>];

/** Results of a function whose `returns` declares their types: one, or one for each of a tuple. */
export type DeclaredResults<Result> = [Awaited<Result>] extends [void] ? readonly []
  : Awaited<Result> extends readonly [unknown, unknown, ...unknown[]] ? Readonly<Awaited<Result>>
  : readonly [Awaited<Result>];

/** Results of a definition with or without `returns`. */
export type ResultsOf<Result, Returns> = Returns extends string ? DeclaredResults<Result>
  : PlainResults<Result>;

/** Members that all definitions share, with any type of parameters. */
interface TypedInput<Args extends readonly unknown[], Result, Returns>
  extends Omit<JobInput, "params" | "run"> {
  readonly run: (...args: Args) => Result;
  /** Type of the result as text: `"Date"`; `"[sum: number, product: number]"` is two results. */
  readonly returns?: Returns;
}

/** A job whose arguments are passed unchanged. */
export interface PlainJobInput<Args extends readonly unknown[], Result, Returns>
  extends TypedInput<Args, Result, Returns> {
  readonly params?: undefined;
}

/** A job whose parameters are text. */
export interface TextJobInput<Args extends readonly unknown[], Result, Returns>
  extends TypedInput<Args, Result, Returns> {
  readonly params: string;
}

/** A job whose parameters are declared by a schema, or by a list of schemas. */
export interface SchemaJobInput<Params extends SchemaParams, Result, Returns>
  extends TypedInput<SchemaRunArguments<Params>, Result, Returns> {
  readonly params: Params;
}

/** A registered job. The compiler checks the arguments that schedule it. */
export interface JobHandle<
  Args extends readonly unknown[] = readonly any[],
  Results extends readonly unknown[] = readonly unknown[],
> extends JobDefinition {
  /** Schedule now, with these arguments. */
  schedule(...args: Args): Promise<JobInstance<Results>>;
  /** Schedule with these arguments, and options such as `{ after: "2h", priority: 0 }`. */
  scheduleWith(
    options: Omit<LibraryScheduleOptions, "arguments">,
    ...args: Args
  ): Promise<JobInstance<Results>>;
  /**
   * Wait for an instance of the job, and return its first result.
   *
   * @throws JobError `internal`, `canceled` or `timeout` if it did not succeed; `timeout` if the
   *   wait ended first
   */
  result(
    instance: JobInstance<Results> | string,
    options?: { readonly timeout?: number | string },
  ): Promise<Results extends readonly [] ? undefined : Results[0]>;
}
