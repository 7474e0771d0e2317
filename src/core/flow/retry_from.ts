/** The part of a function with steps that runs again. */
export interface RetryFrom {
  /**
   * Name or key of the first step that runs again. The new instance has the outcomes of those
   * before it. Absent, without `set`: all run again.
   */
  readonly from?: string;
  /** With `from`: run only this step again, and keep the outcomes of those after it. */
  readonly only?: boolean;
  /** Results that steps have instead of running, by name or key, as JSON values. */
  readonly set?: Readonly<Record<string, unknown>>;
}
