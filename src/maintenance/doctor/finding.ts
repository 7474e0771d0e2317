/** Severities of a finding, mildest first. */
export const LEVELS = ["ok", "note", "warning", "error"] as const;

/** One of {@link LEVELS}. */
export type Level = typeof LEVELS[number];

/** Subjects of findings, in display order. */
export const SUBJECTS = [
  "config",
  "daemon",
  "unit",
  "clock",
  "zones",
  "store",
  "fsync",
  "disk",
  "limits",
  "cgroup",
  "nodes",
  "tokens",
  "permissions",
  "listeners",
  "reach",
] as const;

/** One of {@link SUBJECTS}. */
export type Subject = typeof SUBJECTS[number];

/** One result of the doctor. */
export interface Finding {
  readonly subject: Subject;
  readonly level: Level;
  /** One sentence without a period. It may contain control characters of paths and names. */
  readonly text: string;
  /** The command that fixes it, or other advice; null if there is nothing to do. */
  readonly remedy: string | null;
}

/** Makes the findings of one subject. */
export interface Findings {
  ok(text: string): Finding;
  /** Good to know; causes no failure. */
  note(text: string, remedy?: string | null): Finding;
  /** Something will fail, or is insecure. */
  warning(text: string, remedy: string | null): Finding;
  /** Something fails now, or a secret is open to others. */
  error(text: string, remedy: string | null): Finding;
  /** The check could not be made. */
  unchecked(why: string, remedy?: string | null): Finding;
}

/** Makes the findings of a subject. */
export function findingsOf(subject: Subject): Findings {
  const make = (level: Level) => (text: string, remedy: string | null = null): Finding => ({
    subject,
    level,
    text,
    remedy,
  });
  return {
    ok: make("ok"),
    note: make("note"),
    warning: make("warning"),
    error: make("error"),
    unchecked: (why, remedy) => make("note")(`not checked: ${why}`, remedy),
  };
}
