import { systemClock } from "./platform/clock.ts";
import { systemRandom } from "./platform/random.ts";
import { storeOver } from "./store/module/create.ts";
import type { ReplicaMedium } from "./store/replica/medium.ts";
import type { Store } from "./store/store.ts";

export { argumentsOf, convertArguments, resultsOf } from "./library/library_job.ts";
export { defineJob, type JobInput } from "./core/job/define.ts";
export { JobError } from "./core/errors.ts";
export type { ErrorCode } from "./core/errors.ts";
export type {
  AttemptUsage,
  HistoryEntry,
  Instance,
  LogEntry,
  Progress,
  StoredLogEntry,
} from "./core/instance.ts";
export type { Context, InstanceHandle, InstanceLog, JobDefinition } from "./core/job/job.ts";
export type { JobFunction } from "./core/stored_types.ts";
export type {
  BulkFilter,
  BulkOptions,
  ClearFilter,
  HistoryFilter,
  InstanceFilter,
  LogClearFilter,
  LogFilter,
  LogTailFilter,
  TimeInput,
} from "./core/job/instance_filter.ts";
export type { JobManager } from "./core/job/job_manager.ts";
export type { ScheduleRecord } from "./core/time/schedule.ts";
export type {
  InstanceHandlers,
  JobHandle,
  JobInstance,
  LibraryScheduleOptions,
} from "./library/typed_job.ts";
export type { Stored } from "./core/stored_types.ts";
export type {
  CallAllOptions,
  ChildCounts,
  ChildOutcome,
  ChildResults,
  FlowContext,
  StepCall,
  StepOptions,
  StepRetry,
  WaitOptions,
  WaitResult,
} from "./core/flow/flow_context.ts";
export { StepError } from "./core/flow/step_error.ts";
export type { StandardSchema } from "./library/standard_schema.ts";
export type { ManagerSetup } from "./library/manager_setup.ts";
export type { StoreOptions, StoreTlsOptions } from "./library/store_options.ts";
export { Manager } from "./library/manager.ts";
export type { JobReference, LibraryJob, RegisterOptions } from "./library/manager.ts";
export type { LibraryJobInput } from "./library/library_job.ts";
export type {
  ArgumentInput,
  Duration,
  Int,
  Signature,
  SignatureWarning,
  TypeShape,
} from "./core/arguments/signature.ts";
export { signatureSchema } from "./core/arguments/json_schema.ts";
export type { JobState, StateName } from "./core/state.ts";
export { nextTicks } from "./core/time/ticks.ts";
export { readSignature } from "./jobs/types/read_signature.ts";
export type {
  ManagerEvent,
  ManagerStatus,
  RecurringOptions,
  RetryOptions,
  ScheduleChange,
  ScheduleOptions,
  WorkerStatus,
} from "./manager/api.ts";
export type { InstanceQuery, Page, PageRequest } from "./store/store.ts";
export type {
  MediumChange,
  MediumChanges,
  MediumCommit,
  MediumImage,
  MediumListener,
  MediumPair,
  ReplicaMedium,
} from "./store/replica/medium.ts";
export type { StoreContext, StoreModule } from "./store/module/create.ts";

/** The store over a medium, to check the medium with `ts-job/conformance`. */
export function replicaStore(medium: ReplicaMedium): Store {
  return storeOver(medium, { clock: systemClock, random: systemRandom }, "of this medium");
}
