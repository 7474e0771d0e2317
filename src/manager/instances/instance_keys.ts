import { createHash } from "node:crypto";
import type { JobDefinition } from "../../core/job/job.ts";
import { JobError } from "../../core/errors.ts";
import { kindWord } from "../../core/job/kind.ts";
import { CONFLICTS } from "../../core/job/job_manager.ts";
import { argumentsText, keyText, queuePathsOf, type UniqueRule } from "../../core/job/limits.ts";
import { TEXT_LENGTH_MAX } from "../../core/text/text_limits.ts";
import type { NewInstance } from "../../store/store.ts";
import type { ScheduleOptions } from "../api.ts";

/** Longest readable key, in characters; a longer one is hashed. */
const READABLE_LENGTH_MAX = 300;
const UNIQUE_KEY_LENGTH_MAX = TEXT_LENGTH_MAX.uniqueKey;

/** The queue that an instance waits in: its kind, and the argument values that limits count by. */
export function queueKeyOf(job: JobDefinition, argumentsJson: string): string {
  const paths = queuePathsOf(job.options);
  if (paths.length === 0) return job.kind;
  return keyOf(job.kind, keyText(job.signature, argumentsJson, paths));
}

/** The unique key of an instance and its rule. */
export type UniqueKey = Pick<NewInstance, "uniqueKey" | "unique">;

/**
 * The given unique key, or else the key that the job makes from the arguments.
 *
 * @throws JobError `invalid_argument` naming the option
 */
export function uniqueKeyOf(
  job: JobDefinition,
  argumentsJson: string,
  options: Pick<ScheduleOptions, "uniqueKey" | "uniqueForMs" | "onConflict">,
): UniqueKey {
  const { uniqueKey, uniqueForMs, onConflict } = options;
  const policy = job.options.unique;
  if (onConflict !== undefined && !CONFLICTS.includes(onConflict)) {
    throw new JobError(
      "invalid_argument",
      `Cannot use on_conflict "${onConflict}": no such choice`,
      { path: "on_conflict", hint: `Write one of: ${CONFLICTS.join(", ")}` },
    );
  }
  if (uniqueKey !== undefined) {
    checkUniqueKey(uniqueKey);
    const hasRule = uniqueForMs !== undefined || onConflict !== undefined;
    const own: UniqueRule = { forMs: uniqueForMs ?? null, onConflict: onConflict ?? "refuse" };
    return { uniqueKey, ...(hasRule ? { unique: own } : {}) };
  }
  if (!policy) {
    if (uniqueForMs === undefined && onConflict === undefined) return { uniqueKey: null };
    throw new JobError(
      "invalid_argument",
      `Cannot make an instance of job "${job.kind}" unique: there is no key`,
      { path: "unique_key", hint: 'Give a unique key, or set "unique" of the job' },
    );
  }
  const text = policy.by === null
    ? `arguments=${argumentsText(argumentsJson)}`
    : keyText(job.signature, argumentsJson, policy.by);
  return {
    uniqueKey: keyOf(job.kind, text),
    unique: { forMs: uniqueForMs ?? policy.forMs, onConflict: onConflict ?? policy.onConflict },
  };
}

function checkUniqueKey(key: string): void {
  if (key.length > 0 && key.length <= UNIQUE_KEY_LENGTH_MAX) return;
  throw new JobError(
    "invalid_argument",
    `Cannot use a unique key of ${key.length} characters: it takes 1 to ${UNIQUE_KEY_LENGTH_MAX}`,
    { path: "unique_key" },
  );
}

/**
 * A key of a kind, such as `mail account="acme"`. The kind is its first word, so no other kind can
 * have the same key.
 */
function keyOf(kind: string, text: string): string {
  const word = kindWord(kind);
  if (text.length <= READABLE_LENGTH_MAX) return `${word} ${text}`;
  return `${word} #${createHash("sha256").update(text).digest("hex").slice(0, 40)}`;
}
