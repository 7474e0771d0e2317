import { handlersThat } from "../../core/job/job.ts";
import { isObject } from "../../core/text/object_keys.ts";
import { cutText } from "../../core/text/text_bytes.ts";
import type { DescribeAnswer, DescribeError, JobDescriptor } from "./describe_main.ts";
import type { PlainInput } from "./resolve_input.ts";

/** Most jobs of one module. */
const JOBS_MAX = 10_000;
/** Longest message and hint, in bytes. */
const TEXT_BYTES_MAX = 8_192;

/**
 * Read a message of the process that loads modules. Null if it is not one of ours, because modules
 * can send messages too.
 */
export function parseAnswer(message: unknown): DescribeAnswer | null {
  if (typeof message !== "string") return null;
  let answer: unknown;
  try {
    answer = JSON.parse(message);
  } catch {
    return null;
  }
  if (!isObject(answer)) return null;
  const { type, path } = answer;
  if (type === "ready") return { type };
  if (typeof path !== "string") return null;
  if (type === "jobs") {
    const jobs = readJobs(answer.jobs);
    return jobs === null ? null : { type, path, jobs };
  }
  const error = type === "failed" ? readError(answer.error) : null;
  return error === null ? null : { type: "failed", path, error };
}

function readJobs(value: unknown): readonly JobDescriptor[] | null {
  if (!Array.isArray(value) || value.length > JOBS_MAX) return null;
  const jobs = value.map(readJob);
  return jobs.some((job) => job === null) ? null : jobs as readonly JobDescriptor[];
}

function readJob(value: unknown): JobDescriptor | null {
  if (!isObject(value) || typeof value.kind !== "string") return null;
  const { kind, input, hasHandler } = value;
  if (!isObject(input) || !isObject(hasHandler)) return null;
  return {
    kind,
    input: input as PlainInput,
    hasHandler: handlersThat((name) => hasHandler[name] === true),
  };
}

function readError(value: unknown): DescribeError | null {
  if (!isObject(value) || typeof value.message !== "string") return null;
  const { message, hint, file, line, column } = value;
  return {
    message: cutText(message, TEXT_BYTES_MAX),
    ...(typeof hint === "string" ? { hint: cutText(hint, TEXT_BYTES_MAX) } : {}),
    ...(typeof file === "string" ? { file: cutText(file, TEXT_BYTES_MAX) } : {}),
    ...(Number.isSafeInteger(line) ? { line: line as number } : {}),
    ...(Number.isSafeInteger(column) ? { column: column as number } : {}),
  };
}
