import { errorCode, messageOf } from "../../core/errors.ts";
import { type Clock, inTime } from "../../platform/clock.ts";
import { type Finding, findingsOf, type Level, type Subject, SUBJECTS } from "./finding.ts";

/** A check of one subject. */
export interface Check {
  readonly subject: Subject;
  /** Resolves with its findings; a rejection means that it could not run. */
  run(): Promise<readonly Finding[]> | readonly Finding[];
}

/** Run checks side by side. One that takes longer than `deadlineMs` counts as not made. */
export async function runChecks(
  checks: readonly Check[],
  { clock, deadlineMs }: { readonly clock: Clock; readonly deadlineMs: number },
): Promise<Finding[]> {
  const made = await Promise.all(checks.map(({ subject, run }) => {
    const { unchecked } = findingsOf(subject);
    return withinMs<readonly Finding[]>(deadlineMs, {
      clock,
      run,
      late: () => [unchecked(`it took more than ${deadlineMs} ms`)],
      failed: (error) => {
        const isForbidden = ["EACCES", "EPERM"].includes(errorCode(error) ?? "");
        return [unchecked(messageOf(error), isForbidden ? "sudo jobctl doctor" : null)];
      },
    });
  }));
  return made.flat();
}

/** The result of a call, or a substitute if it fails or takes too long. */
export async function withinMs<T>(
  deadlineMs: number,
  { clock, run, late, failed }: {
    readonly clock: Clock;
    readonly run: () => Promise<T> | T;
    readonly late: () => T;
    readonly failed: (error: unknown) => T;
  },
): Promise<T> {
  const result = Promise.resolve().then(run).catch(failed);
  return await inTime(result, deadlineMs, { clock, late });
}

const BAD_FIRST: readonly Level[] = ["error", "warning", "note", "ok"];

/** In the order of {@link SUBJECTS}, the worst first within a subject. */
export function inOrder(findings: readonly Finding[]): Finding[] {
  const rank = ({ subject, level }: Finding) =>
    SUBJECTS.indexOf(subject) * BAD_FIRST.length + BAD_FIRST.indexOf(level);
  return findings.toSorted((a, b) => rank(a) - rank(b));
}
