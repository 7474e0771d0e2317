import { createHash } from "node:crypto";
import { isJobError, JobError } from "../../core/errors.ts";
import { sleep } from "../../platform/clock.ts";
import type { Clock } from "../../platform/clock.ts";
import { idOfText } from "../../platform/text_ids.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type { BatchFile } from "./batch_file.ts";
import {
  type BatchRequest,
  indexOfError,
  type LineProblem,
  problemOfError,
  readLine,
} from "./read_line.ts";

/** Most lines of one call; the daemon's own limit. */
const CALL_LINES_MAX = 1_000;
/** Most bytes of the lines of one call: a message has at most 4 MiB. */
const CALL_BYTES_MAX = 1_048_576;
/** Problems after which reading ends. */
const PROBLEMS_MAX = 20;
/** Number of retries for a call without a response, and the wait before each. */
const RETRIES = 10;
const RETRY_MS = 1_000;

/** Progress of a pass over a file. */
export interface Progress {
  readonly step: "check" | "queue";
  readonly lines: number;
  /** Share of the file, 0 to 1. */
  readonly share: number;
}

/** The findings of {@link checkFile}. */
export type CheckedFile = Awaited<ReturnType<typeof checkFile>>;

/** Result of {@link queueFile}. */
export interface QueuedFile {
  /** Lines whose instances are in the store now. */
  readonly lines: number;
  /** Number of them that existed before. */
  readonly existing: number;
}

/** Target of the lines. */
export interface Target {
  readonly client: Pick<JobClient, "scheduleJobs">;
  /** The job of lines without a kind. */
  readonly kind: string | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
}

/** A line that is an instance. */
interface Entry {
  readonly line: number;
  readonly text: string;
  readonly request: BatchRequest;
  /** Bytes of the file up to its end. */
  readonly end: number;
}

/** Check every line, here and by the daemon, which converts the arguments; queue nothing. */
export async function checkFile(file: BatchFile, target: Target) {
  const hash = createHash("sha256");
  const problems: LineProblem[] = [];
  let lines = 0;
  const isFull = () => problems.length >= PROBLEMS_MAX || target.signal.aborted;
  for await (const entries of batchesOf(file.lines(hash), target.kind, problems)) {
    problems.push(...await refusedOf(entries, target, PROBLEMS_MAX - problems.length));
    lines += entries.length;
    target.progress({ step: "check", lines, share: shareOf(entries, file) });
    if (isFull()) break;
  }
  return {
    /** Lines that are instances. */
    lines,
    /** Of the bytes of the file. */
    digest: hash.digest("hex"),
    /** The first ones; nothing may be queued if there are any. */
    problems: problems.sort((a, b) => a.line - b.line).slice(0, PROBLEMS_MAX),
    /** True if the rest of the file was not read because of them. */
    isPartial: isFull(),
  };
}

/**
 * Queue every line of a checked file. Each call is one transaction. An instance whose line gives no
 * id gets one derived from the file and the line's number, so a line is queued once, even if this
 * is repeated.
 *
 * @param how.salt makes other ids of the same file
 * @param how.isDryRun true to queue nothing, and only count existing ones
 */
export async function queueFile(
  file: BatchFile,
  target: Target,
  { digest, salt, isDryRun = false }: {
    readonly digest: string;
    readonly salt: string;
    readonly isDryRun?: boolean;
  },
): Promise<QueuedFile> {
  let [lines, existing] = [0, 0];
  const read = readAgain(file, target.kind, () => lines);
  for await (const entries of read) {
    if (target.signal.aborted) break;
    const requests = entries.map(({ line, request }) => ({
      ...request,
      uuid: request.uuid ?? idOfText(`${digest}\n${salt}\n${line}`, "5"),
      ...(isDryRun ? { dryRun: true } : {}),
    }));
    const answer = await send(requests, target).catch((error: unknown) => {
      throw stopped(error, { entries, file, lines });
    });
    lines += entries.length;
    existing += answer.existing;
    target.progress({ step: isDryRun ? "check" : "queue", lines, share: shareOf(entries, file) });
  }
  return { lines, existing };
}

/**
 * The lines of a checked file. If it has changed since, the error warns that the same command would
 * queue earlier lines again: their ids derive from the old file.
 */
async function* readAgain(
  file: BatchFile,
  kind: string | undefined,
  queued: () => number,
): AsyncGenerator<readonly Entry[]> {
  const problems: LineProblem[] = [];
  try {
    yield* batchesOf(file.lines(), kind, problems);
  } catch (error) {
    if (!isJobError(error, "conflict") || queued() === 0) throw error;
    const hint = "The same command would queue them again: remove them from the file first";
    const message = `${error.message}. ${queued()} instances of its lines are queued`;
    throw new JobError("conflict", message, { hint, cause: error });
  }
}

/** The lines in groups that fit into a call. Problems of lines are added to `problems`. */
async function* batchesOf(
  lines: AsyncIterable<{ readonly number: number; readonly end: number; bytes: Uint8Array | null }>,
  kind: string | undefined,
  problems: LineProblem[],
): AsyncGenerator<readonly Entry[]> {
  let batch: Entry[] = [];
  let bytes = 0;
  for await (const line of lines) {
    const read = readLine(line, kind);
    if (read === null) continue;
    if ("problem" in read) {
      problems.push(read.problem);
      if (problems.length >= PROBLEMS_MAX) break;
      continue;
    }
    const size = line.bytes!.byteLength;
    if (batch.length === CALL_LINES_MAX || (batch.length > 0 && bytes + size > CALL_BYTES_MAX)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push({ line: line.number, end: line.end, ...read });
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

function shareOf(entries: readonly Entry[], { size }: BatchFile): number {
  return size === 0 ? 1 : Math.min(1, entries.at(-1)!.end / size);
}

/** The daemon's refusals of a batch, at most `max` of its lines: each call names one. */
async function refusedOf(
  entries: readonly Entry[],
  target: Target,
  max: number,
): Promise<LineProblem[]> {
  const problems: LineProblem[] = [];
  let rest = entries;
  while (rest.length > 0 && problems.length < max && !target.signal.aborted) {
    try {
      await send(rest.map(({ request }) => ({ ...request, dryRun: true })), target);
      break;
    } catch (error) {
      const index = isJobError(error) ? indexOfError(error) : null;
      if (index === null || index >= rest.length) throw error;
      problems.push(problemOfError(error as JobError, rest[index]!));
      rest = rest.slice(index + 1);
    }
  }
  return problems;
}

/** Each request has an id, or is a dry run: a call without a response can be repeated. */
async function send(requests: BatchRequest[], { client, clock, signal }: Target) {
  for (let retries = 0;; retries++) {
    try {
      return await client.scheduleJobs({ requests });
    } catch (error) {
      const isPassing = isJobError(error, "unavailable") || isJobError(error, "timeout");
      if (!isPassing || retries >= RETRIES || signal.aborted) throw error;
      await sleep(clock, RETRY_MS, signal);
    }
  }
}

/** An error while queuing, with the queued lines and the way to continue. */
function stopped(
  error: unknown,
  { entries, file, lines }: {
    readonly entries: readonly Entry[];
    readonly file: BatchFile;
    readonly lines: number;
  },
): unknown {
  if (!isJobError(error)) return error;
  const index = indexOfError(error);
  const at = entries[index ?? 0]!;
  const { message, hint } = index === null ? error : problemOfError(error, at);
  const again = "Run the same command again to continue: no line is queued twice";
  return new JobError(
    error.code,
    `${file.name}:${at.line}: ${message}. Before this line, ${lines} instances are queued`,
    { hint: hint === undefined ? again : `${hint}. ${again}`, cause: error },
  );
}
