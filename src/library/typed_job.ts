import type { JobInput } from "../core/job/define.ts";
import type { Instance } from "../core/instance.ts";
import type { Context, InstanceHandle, JobDefinition, JobHandlers } from "../core/job/job.ts";
import type { JobManager, ScheduleOptions } from "../core/job/job_manager.ts";
import type { WorkerInfo } from "../worker/attempt_scope.ts";
import type { SchemaInput, SchemaOutput, StandardSchema } from "./standard_schema.ts";
import type { Storable, Stored } from "./stored.ts";

/** Handlers of one instance, in place of those of its job; they are called while this manager runs it. */
export type InstanceHandlers = Pick<JobHandlers, "onComplete" | "onTerminate" | "onStateChange">;

/** Options for scheduling an instance with the library. */
export interface LibraryScheduleOptions extends ScheduleOptions, InstanceHandlers {}

/** An instance with its arguments and results as values. */
export interface JobInstance<Results extends readonly unknown[] = readonly unknown[]>
  extends Instance {
  /** As stored: JSON values. */
  readonly arguments: readonly unknown[];
  /** Of the completed attempt: values of the types that the job declares, else JSON values; empty until then. */
  readonly results: Readonly<Partial<Results>>;
}

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

/** Arguments that a job with schemas is scheduled with. */
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

/** What a parameter is given without an argument. */
type Injected = Context | InstanceHandle | JobManager | WorkerInfo | AbortSignal;
type IsInjected<T> = unknown extends T ? false : [T] extends [never] ? false
: [T] extends [Injected] ? true
: false;

/** Arguments of a function whose `params` are text: those that are injected take none. */
export type TextArguments<Args extends readonly unknown[]> = number extends Args["length"] ? Args
  : Args extends readonly [] ? []
  : Args extends [infer First, ...infer Rest]
    ? IsInjected<First> extends true ? TextArguments<Rest> : [First, ...TextArguments<Rest>]
  : Args extends [(infer First)?, ...infer Rest] ? [First?, ...TextArguments<Rest>]
  : Args;

/** Arguments of a function without `params`, which pass as JSON has them. */
export type PlainArguments<Args extends readonly unknown[]> = {
  [Index in keyof Args]: Storable<Args[Index]>;
};

/** Results of a function: none, or one as JSON has it. */
export type PlainResults<Result> = [Awaited<Result>] extends [void] ? readonly []
  : readonly [Stored<Awaited<Result>>];

/** Results of a function whose `returns` declares their types: one, or as many as a tuple has. */
export type DeclaredResults<Result> = [Awaited<Result>] extends [void] ? readonly []
  : Awaited<Result> extends readonly [unknown, unknown, ...unknown[]] ? Readonly<Awaited<Result>>
  : readonly [Awaited<Result>];

/** How a definition declares its results. */
export type ResultsOf<Result, Returns> = Returns extends string ? DeclaredResults<Result>
  : PlainResults<Result>;

/** Members that all definitions share, however their parameters are typed. */
interface TypedInput<Args extends readonly unknown[], Result, Returns>
  extends Omit<JobInput, "params" | "run"> {
  readonly run: (...args: Args) => Result;
  /** Type of the result as text, such as `"Date"`; `"[sum: number, product: number]"` makes two results. */
  readonly returns?: Returns;
}

/** A job whose arguments pass as they are given. */
export interface PlainJobInput<Args extends readonly unknown[], Result, Returns>
  extends TypedInput<Args, Result, Returns> {
  readonly params?: undefined;
}

/** A job whose parameters are text. */
export interface TextJobInput<Args extends readonly unknown[], Result, Returns>
  extends TypedInput<Args, Result, Returns> {
  readonly params: string;
}

/** A job whose parameters are declared by schemas: one, or a list with one for each. */
export interface SchemaJobInput<Params extends SchemaParams, Result, Returns>
  extends TypedInput<SchemaRunArguments<Params>, Result, Returns> {
  readonly params: Params;
}

/** A registered job, to be scheduled with arguments that the compiler checks. */
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
   * @throws JobError `failed_precondition` when it ended without a success; `timeout` when that passed first
   */
  result(
    instance: JobInstance<Results> | string,
    options?: { readonly timeout?: number | string },
  ): Promise<Results extends readonly [] ? undefined : Results[0]>;
}
