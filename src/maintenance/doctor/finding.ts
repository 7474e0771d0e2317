/** How bad a finding is, from nothing to see to something that fails. */
export const LEVELS = ["ok", "note", "warning", "error"] as const;

/** One of {@link LEVELS}. */
export type Level = typeof LEVELS[number];

/** What a finding is about, in the order in which findings are shown. */
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

/** One thing that the doctor looked at. */
export interface Finding {
  readonly subject: Subject;
  readonly level: Level;
  /** One sentence without a period. It may have control characters of paths and names. */
  readonly text: string;
  /** The command that fixes it, or else advice; null if there is nothing to do. */
  readonly remedy: string | null;
}

/** Makes the findings of one subject. */
export interface Findings {
  ok(text: string): Finding;
  /** Good to know; nothing fails because of it. */
  note(text: string, remedy?: string | null): Finding;
  /** Something will fail, or is not as safe as it should be. */
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
