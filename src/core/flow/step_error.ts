/** The failure of a step or a child, as it was recorded. */
export interface StepFailure {
  readonly name: string;
  readonly message: string;
  readonly code?: string | number;
  readonly data?: unknown;
  readonly stack?: string;
}

/** Thrown for a step or a child that failed for good: at every run with the same members. */
export class StepError extends Error {
  override readonly name = "StepError";
  /** Name of the step, or the kind of the child. */
  readonly step: string;
  /** The thrown error's name. */
  readonly errorName: string;
  /** The thrown error's `code`, if it was a text or a number. */
  readonly code: string | number | undefined;
  /** The thrown error's `data`, as JSON stores it. */
  readonly data: unknown;
  readonly attempts: number;
  /** Of a child: its instance. */
  readonly childId: string | undefined;

  constructor(
    step: string,
    failure: StepFailure,
    { attempts = 1, childId }: { readonly attempts?: number; readonly childId?: string } = {},
  ) {
    super(failure.message, failure.stack === undefined ? {} : { cause: causeOf(failure) });
    this.step = step;
    this.errorName = failure.name;
    this.code = failure.code;
    this.data = failure.data;
    this.attempts = attempts;
    this.childId = childId;
  }
}

/** The thrown error, as far as it was recorded. */
function causeOf({ name, message, stack }: StepFailure): Error {
  const error = new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
