/** The expression of each nickname. */
export const NICKNAMES: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/** One parsed field of an expression. */
export interface CronField {
  /** Its text, with `H` and `~` resolved. */
  readonly text: string;
  /** Sorted, without duplicates. As a weekday, 7 becomes 0. */
  readonly values: readonly number[];
  /** True if it begins with `*`, or is `?`. */
  readonly isAny: boolean;
  /** `L` in days of month: the last day. */
  readonly isLastDay: boolean;
  /** `LW`: the last day from Monday to Friday. */
  readonly isLastWorkday: boolean;
  /** `nW`: the day from Monday to Friday nearest to day n of the month. */
  readonly nearest: readonly number[];
  /** `w#n`: the n-th of a weekday in the month. */
  readonly nth: readonly (readonly [weekday: number, n: number])[];
  /** `wL`: the last of a weekday in the month. */
  readonly lastOf: readonly number[];
}

/** A parsed cron expression. It is shared: never change it. */
export interface CronExpression {
  /** As written, with single spaces, nicknames expanded, and `H` and `~` resolved. */
  readonly text: string;
  readonly second: CronField;
  readonly minute: CronField;
  readonly hour: CronField;
  readonly dayOfMonth: CronField;
  readonly month: CronField;
  readonly dayOfWeek: CronField;
  /** True if a day must match both day fields, since one begins with `*`; else one is enough. */
  readonly isBothDays: boolean;
  /**
   * True if it runs at fixed times: neither minute nor hour begins with `*`. At a clock change, a
   * skipped fixed time runs at the change, and a repeated one runs once. Others follow the clock.
   */
  readonly isFixed: boolean;
}
