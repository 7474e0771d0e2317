import { blockWords } from "../../core/job/limits.ts";
import { commandEnd } from "../../core/text/command_end.ts";
import { NOTICE_KINDS } from "../../core/notices/notice.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { Printer } from "../output/printer.ts";
import type { MessageView, Viewpoint } from "../output/view.ts";
import type { Block, JobInstance } from "../../rpc/gen/job_pb.ts";
import { formatAbsolute, timeText } from "../output/when.ts";
import { formatRelative, runText } from "../../core/time/duration.ts";
import { msOf, stateName, type Timestamp } from "../io/wire.ts";
import { stateCell } from "./state_words.ts";

/** A time as a field of a table: relative, or in full if the table is wide. */
export function shortTime(timestamp: Timestamp | undefined, at: Viewpoint): string | undefined {
  const ms = msOf(timestamp);
  if (ms === undefined) return undefined;
  return at.isWide ? formatAbsolute(ms) : formatRelative(ms, at.nowMs);
}

/** Time when the instance became final; undefined before. */
export function settledAt(instance: JobInstance): Timestamp | undefined {
  return instance.completedAt ?? instance.terminatedAt ?? instance.canceledAt ??
    instance.timedOutAt;
}

/**
 * Duration of the current or the final attempt, of one with waits since its first step; undefined
 * without one.
 */
export function tookText(instance: JobInstance, nowMs: number): string | undefined {
  const { state, processedAt, durationMs, resumes, stepsAt } = instance;
  const beganMs = resumes > 0 ? msOf(stepsAt) : undefined;
  const endMs = msOf(settledAt(instance));
  if (beganMs !== undefined) return runText(Math.max(0, (endMs ?? nowMs) - beganMs));
  if (durationMs !== undefined) return runText(Number(durationMs));
  const startMs = msOf(processedAt);
  const isRunning = stateName(state) === "Processing" && startMs !== undefined;
  return isRunning && startMs <= nowMs ? runText(nowMs - startMs) : undefined;
}

/** Time of its end, or else its start, or else its due time. */
function momentOf(instance: JobInstance): Timestamp | undefined {
  const settled = settledAt(instance);
  if (settled !== undefined) return settled;
  return stateName(instance.state) === "Processing" ? instance.processedAt : instance.dueAt;
}

/** The most interesting fact: the error, the reason for waiting, the results or the arguments. */
function gistText(instance: JobInstance): string {
  const { kind, blockedBy, results, state } = instance;
  if (blockedBy !== undefined) return blockWords(blockedBy);
  const isDone = stateName(state) === "Completed" && !kind.startsWith(NOTICE_KINDS);
  return errorLine(instance) || (isDone && results.join(", ")) || argumentsText(instance);
}

/** The error in one line: for a command its last words, as the state has the exit code. */
export function errorLine({ error = "", errorDetail }: JobInstance): string {
  if (errorDetail?.name !== "CommandError") return firstLine(error);
  const [, ...words] = error.split(`${commandEnd(errorDetail)}: `);
  return words.join("").trimEnd().split("\n").at(-1)!;
}

/** The first non-empty line of a text. */
export function firstLine(text: string): string {
  return text.split("\n").find((line) => line.trim() !== "") ?? "";
}

/** The arguments; for a notice only its title, as the rest is long. */
export function argumentsText({ kind, arguments: all }: JobInstance): string {
  return (kind.startsWith(`${NOTICE_KINDS}.`) ? all.slice(0, 1) : all).join(", ");
}

/** Progress as the job reported it: "3 of 10 (30 %)"; undefined without a report. */
export function progressText({ progress }: JobInstance): string | undefined {
  if (!progress) return undefined;
  const { done, total } = progress;
  if (total === undefined) return String(done);
  const share = total > 0 ? ` (${Math.floor(done / total * 100)} %)` : "";
  return `${done} of ${total}${share}`;
}

/** The limit that instances wait for, for people: `concurrency of mail (2 of 2)`. */
export function blockText(block: Block, printer: Printer): string {
  const text = makeVisible(blockWords(block));
  return block.opensAt ? `${text}, until ${timeText(block.opensAt, printer.nowMs)}` : text;
}

/** View of instances. */
export const INSTANCE_VIEW: MessageView<JobInstance> = {
  message: "JobInstance",
  name: (instance) => instance.uuid,
  columns: [
    {
      title: "ID",
      weight: 9,
      cell: ({ uuid }, { shortId }) => ({ text: shortId(uuid), style: "dim" }),
    },
    { title: "KIND", weight: 8, least: 12, cell: (instance) => instance.kind },
    { title: "STATE", weight: 7, least: 16, cell: stateCell },
    { title: "TOOK", weight: 3, cell: (instance, { nowMs }) => tookText(instance, nowMs) },
    { title: "WHEN", weight: 6, cell: (instance, at) => shortTime(momentOf(instance), at) },
    { title: "ATTEMPTS", isWide: true, isNumber: true, cell: ({ attempts }) => attempts ?? 0 },
    { title: "PRIORITY", isWide: true, isNumber: true, cell: ({ priority }) => priority },
    { title: "NODE", isWide: true, cell: ({ node }) => node },
    { title: "CREATED", isWide: true, cell: ({ createdAt }, at) => shortTime(createdAt, at) },
    { title: "DUE", isWide: true, cell: ({ dueAt }, at) => shortTime(dueAt, at) },
    { title: "ARGUMENTS", isWide: true, cell: argumentsText },
    { title: "WHAT", least: 12, weight: 4, cell: gistText },
  ],
};
