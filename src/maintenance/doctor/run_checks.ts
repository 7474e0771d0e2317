import { messageOf } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { type Finding, findingsOf, type Level, type Subject, SUBJECTS } from "./finding.ts";

/** A check of one subject. */
export interface Check {
  readonly subject: Subject;
  /** Resolves with what it found; a rejection means that it could not be made. */
  run(): Promise<readonly Finding[]> | readonly Finding[];
}

/** The result of {@link runChecks}. */
export interface CheckedSubjects {
  readonly findings: readonly Finding[];
  /** True if a check still runs: nothing can end a call that waits for a disk or a name server. */
  readonly isLeftBehind: boolean;
}

/** Run checks side by side. One that takes longer than `deadlineMs` counts as not made. */
export async function runChecks(
  checks: readonly Check[],
  { clock, deadlineMs }: { readonly clock: Clock; readonly deadlineMs: number },
): Promise<CheckedSubjects> {
  const made = await Promise.all(checks.map(({ subject, run }) => {
    const { unchecked } = findingsOf(subject);
    return withinMs<readonly Finding[]>(deadlineMs, {
      clock,
      run,
      late: () => [unchecked(`it took more than ${deadlineMs} ms`)],
      failed: (error) => [unchecked(messageOf(error))],
    });
  }));
  return {
    findings: made.flatMap(({ value }) => value),
    isLeftBehind: made.some(({ isLate }) => isLate),
  };
}

/** The result of a call, or what stands for it if the call fails or takes too long. */
export async function withinMs<T>(
  deadlineMs: number,
  { clock, run, late, failed }: {
    readonly clock: Clock;
    readonly run: () => Promise<T> | T;
    readonly late: () => T;
    readonly failed: (error: unknown) => T;
  },
): Promise<{ readonly value: T; readonly isLate: boolean }> {
  const end = Promise.withResolvers<{ value: T; isLate: boolean }>();
  const timer = clock.timer(deadlineMs, () => end.resolve({ value: late(), isLate: true }));
  const result = Promise.resolve().then(run).then(
    (value) => ({ value, isLate: false }),
    (error: unknown) => ({ value: failed(error), isLate: false }),
  );
  try {
    return await Promise.race([result, end.promise]);
  } finally {
    timer.cancel();
  }
}

const BAD_FIRST: readonly Level[] = ["error", "warning", "note", "ok"];

/** In the order of {@link SUBJECTS}, the worst first within a subject. */
export function inOrder(findings: readonly Finding[]): Finding[] {
  const rank = ({ subject, level }: Finding) =>
    SUBJECTS.indexOf(subject) * BAD_FIRST.length + BAD_FIRST.indexOf(level);
  return findings.toSorted((a, b) => rank(a) - rank(b));
}
