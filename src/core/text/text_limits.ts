import { JobError } from "../errors.ts";

/**
 * Longest texts accepted from outside, in characters. Arguments and results have their own limit
 * (PAYLOAD_BYTES_MAX), and so do the output, logs and errors of job code.
 */
export const TEXT_LENGTH_MAX = {
  /** Everything not listed here: kinds, ids, nodes, words of a list. */
  name: 1_000,
  uniqueKey: 500,
  pauseReason: 1_000,
  cron: 1_024,
  blackout: 1_000,
  pageToken: 4_096,
  /** URLs and prefixes of stores. */
  address: 4_096,
  /** Description of a job. */
  description: 10_000,
} as const;

/** A text from outside and its maximum length. */
export interface LimitedText {
  /** Name of the text in messages, such as "pause reason". */
  readonly what: string;
  readonly path: string;
  readonly lengthMax: number;
}

/** Check the length of a text from outside. @throws JobError `invalid_argument` */
export function checkText(text: string, { what, path, lengthMax }: LimitedText): void {
  if (text.length <= lengthMax) return;
  throw new JobError(
    "invalid_argument",
    `Cannot accept a ${what} of ${text.length} characters: at most ${lengthMax} are allowed`,
    { path, hint: "Shorten it" },
  );
}
