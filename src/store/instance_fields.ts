import type { Instance } from "../core/instance.ts";

/** Storage of an instance field. */
export interface InstanceField {
  /** Its default, which rows omit; absent if the field is always set. */
  readonly usual?: null | number | string;
  /**
   * Set if requests to accept an instance have it: "as is", "text" with characters that every store
   * can keep, or a "time" in whole milliseconds.
   */
  readonly given?: "as is" | "text" | "time";
  /** True if older requests may lack it. */
  readonly isOptional?: true;
  /** Column of SQLite; absent: a member of the JSON in the column `extra`. */
  readonly column?: string;
  /** Place in the rows of Valkey, see `ROW`; absent: {@link isFixed}, or a rare member. */
  readonly place?: string;
  /** True if Valkey keeps it in the part that never changes. */
  readonly isFixed?: true;
  /** Its name among Valkey's rare members, if different. */
  readonly rareName?: string;
  /** True for an object: JSON text in a column, and among the rare members of Valkey. */
  readonly isJson?: true;
  /** True if backups of earlier versions lack it. */
  readonly isNewer?: true;
}

/**
 * Every field of an instance. A new one needs `usual`, but neither `column` nor `place`: the format
 * of the store stays. If callers set it, it is `given` and `isOptional`. Requests, rows, backups
 * and tests derive from here, by `npm run generate`.
 *
 * The order equals the members' order in etcd's rows.
 */
export const INSTANCE_FIELDS = {
  id: { given: "as is", column: "id" },
  kind: { given: "as is", column: "kind", place: "KIND" },
  state: { column: "state", place: "STATE" },
  reason: { usual: null, column: "reason", place: "REASON" },
  priority: { usual: 5, given: "as is", column: "priority", place: "PRIORITY" },
  queueKey: { given: "as is", column: "queue_key", place: "QUEUE" },
  slotKey: { usual: null, isNewer: true },
  uniqueKey: { usual: null, given: "as is", column: "unique_key" },
  uniqueUntil: { usual: null },
  argumentsJson: { usual: "[]", given: "text", column: "arguments", isFixed: true },
  resultsJson: { usual: null, column: "results", place: "RESULTS" },
  error: { usual: null, column: "error", isJson: true },
  scheduleId: { usual: null, given: "as is", column: "schedule_id" },
  scheduledFor: { usual: null, given: "as is", column: "scheduled_for", isFixed: true },
  dueAt: { column: "due_at", place: "DUE" },
  createdAt: { column: "created_at", place: "CREATED" },
  scheduledAt: { column: "scheduled_at", place: "SCHEDULED_AT" },
  processedAt: { usual: null, column: "processed_at", place: "PROCESSED" },
  settledAt: { usual: null, column: "settled_at", place: "SETTLED" },
  cancelRequestedAt: { usual: null, column: "cancel_at", rareName: "cancelAt" },
  attempt: { usual: 0, column: "attempt", place: "ATTEMPT" },
  failures: { usual: 0, column: "failures" },
  crashes: { usual: 0, column: "crashes" },
  fence: { usual: 0, column: "fence", place: "FENCE" },
  node: { usual: null, column: "node", place: "NODE" },
  retryOf: { usual: null, given: "as is", column: "retry_of" },
  parentId: {
    usual: null,
    given: "as is",
    isOptional: true,
    column: "parent_id",
    isNewer: true,
  },
  flowId: { usual: null, given: "as is", isOptional: true, column: "flow_id", isNewer: true },
  parentStep: { usual: null, given: "as is", isOptional: true, isNewer: true },
  waits: { usual: null, given: "as is", isOptional: true, isJson: true, isNewer: true },
  resumes: { usual: 0, isNewer: true },
  stepsAt: { usual: null, isNewer: true },
  version: { usual: null, column: "version" },
  progress: { usual: null, isJson: true },
  usage: { usual: null, isJson: true, isNewer: true },
  deadlineAt: { usual: null, given: "time", column: "deadline_at" },
  redrivenAs: { usual: null },
  retryMax: { usual: 0, given: "as is", column: "retry_max", isFixed: true },
  crashesMax: { usual: 3, given: "as is", column: "crashes_max", isFixed: true },
  timeoutMs: { usual: 0, given: "as is", column: "timeout_ms", isFixed: true },
  keepSuccessMs: { given: "as is", column: "keep_success_ms", place: "KEEP_SUCCESS" },
  keepFailureMs: { given: "as is", column: "keep_failure_ms", place: "KEEP_FAILURE" },
} as const satisfies Readonly<Record<keyof Instance, InstanceField>>;

type Fields = typeof INSTANCE_FIELDS;
type Having<Part extends InstanceField> = {
  [Name in keyof Fields]: Fields[Name] extends Part ? Name : never;
}[keyof Fields];
type Given = Having<{ given: "as is" | "text" | "time" }>;
type Optional = Having<{ isOptional: true }>;

/** The fields of an instance in requests to accept it. */
export type GivenFields =
  & Pick<Instance, Exclude<Given, Optional>>
  & Partial<Pick<Instance, Optional>>;

/** The fields by name, in order. */
export const FIELD_ENTRIES = Object.entries(INSTANCE_FIELDS) as readonly [
  keyof Instance,
  InstanceField,
][];

const USUAL = FIELD_ENTRIES.filter(([, { usual }]) => usual !== undefined);

/** The fields with a usual value. */
export const USUAL_FIELDS = valuesOf(USUAL) as Pick<
  Instance,
  Having<{ usual: null | number | string }>
>;

/** The fields that older backups lack, with their usual values. */
export const NEWER_FIELDS = valuesOf(USUAL.filter(([, { isNewer }]) => isNewer));

function valuesOf(entries: typeof FIELD_ENTRIES): Partial<Instance> {
  return Object.fromEntries(entries.map(([name, { usual }]) => [name, usual]));
}
