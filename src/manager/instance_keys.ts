import { createHash } from "node:crypto";
import type { JobDefinition } from "../core/job.ts";
import { keyText, queuePathsOf } from "../core/limits.ts";

/** Longest key that is kept as it reads, in characters; of a longer one the hash is. */
const READABLE_LENGTH_MAX = 300;

/** The queue that an instance waits in: its kind, and the values that the limits of the job go by. */
export function queueKeyOf(job: JobDefinition, argumentsJson: string): string {
  const paths = queuePathsOf(job.options);
  if (paths.length === 0) return job.kind;
  return keyOf(job.kind, keyText(job.signature, argumentsJson, paths));
}

/** A key of a kind, `mail account="acme"`. */
function keyOf(kind: string, text: string): string {
  if (text.length <= READABLE_LENGTH_MAX) return `${kind} ${text}`;
  return `${kind} #${createHash("sha256").update(text).digest("hex").slice(0, 40)}`;
}
