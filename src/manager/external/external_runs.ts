import {
  assertRunsElsewhere,
  REPORT_AGE_MS_MAX,
  REPORT_BYTES_MAX,
  REPORT_HOST_LENGTH_MAX,
  type ReportedRun,
} from "../../core/job/external.ts";
import { JobError } from "../../core/errors.ts";
import { type ErrorInfo, type Instance, isUuid, type LogEntry } from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import { isFinal } from "../../core/state.ts";
import { tickOfRun } from "../../core/time/tick_of_run.ts";
import { cutText } from "../../core/text/text_bytes.ts";
import { idOfText } from "../../platform/text_ids.ts";
import type { NewInstance, RunReport } from "../../store/store.ts";
import { externalInstance } from "../instances/new_instance.ts";
import type { PartContext } from "../context/part_context.ts";
import { listAllSchedules } from "../schedules/stored_schedules.ts";

/** Time after the start of a run without an id in which the same report is a repetition. */
const REPEAT_MS = 30_000;
/** Most searches of an end without an id for a run, while others end the found ones. */
const TRIES_MAX = 10;
/** Longest line of a report's output, in characters. */
const LINE_LENGTH_MAX = 10_000;
const LINES_MAX = 2_000;

/** The version digit of ids that are made from the run ids of reports. */
const NAMED = "5";
const VERSION_PLACE = 14;

/** Records the runs of jobs that run elsewhere, from reports. */
export class ExternalRuns {
  readonly #parts: PartContext;
  readonly #changed: () => void;

  /** @param changed called when a run begins, with a time limit that must be watched */
  constructor(parts: PartContext, changed: () => void) {
    this.#parts = parts;
    this.#changed = changed;
  }

  /** See {@link ExternalApi.reportRun}. */
  async report(kind: string, reported: ReportedRun): Promise<Instance | null> {
    const job = this.#parts.registry.get(kind);
    assertRunsElsewhere(job);
    checkReport(reported);
    if (reported.event === "log") return await this.#log(job, reported);
    return reported.event === "start"
      ? await this.#begin(job, reported)
      : await this.#end(job, reported);
  }

  async #begin(job: JobDefinition, reported: ReportedRun): Promise<Instance> {
    const { ids, clock } = this.#parts;
    const { runId, startedMsAgo = reported.msAgo ?? 0 } = reported;
    const startedAt = this.#timeOf(startedMsAgo);
    if (runId === undefined) {
      const [open] = await this.#openWithoutId(job);
      const nowMs = clock.now().wallMs;
      // A client that did not get our response repeats the request.
      if (open && nowMs - open.createdAt < REPEAT_MS) return open;
    }
    const id = runId === undefined ? ids() : idOf(job, runId);
    const { instance } = await this.#send(job, reported, { id, startedAt, endedAt: null });
    return instance;
  }

  async #end(job: JobDefinition, reported: ReportedRun): Promise<Instance> {
    const { ids } = this.#parts;
    const { runId, startedMsAgo, msAgo = 0 } = reported;
    const endedAt = this.#timeOf(msAgo);
    const given = startedMsAgo === undefined ? null : this.#timeOf(startedMsAgo);
    for (let tries = 1;; tries++) {
      // A late report of an end belongs to no run that began after it.
      const open = runId === undefined
        ? (await this.#openWithoutId(job)).find((run) => (run.processedAt ?? 0) <= endedAt)
        : undefined;
      const id = runId === undefined ? open?.id ?? ids() : idOf(job, runId);
      const startedAt = open?.processedAt ?? given;
      const before = runId === undefined ? null : await this.#parts.store.get(id);
      // It was taken for hung: its actual end is recorded as a separate run.
      const isLate = before !== null && isGivenUp(before);
      const report = isLate
        ? { id: idOf(job, `${runId} after its time limit`), startedAt: before.processedAt, endedAt }
        : { id, startedAt, endedAt };
      const { instance, isRepeated } = await this.#send(job, reported, report);
      // Another report ended the found run.
      if (open && isRepeated && tries < TRIES_MAX) continue;
      return instance;
    }
  }

  async #log(job: JobDefinition, reported: ReportedRun): Promise<Instance | null> {
    const { store, clock, events } = this.#parts;
    const instance = await this.#runOf(job, reported.runId);
    if (!instance) return null;
    const logs = linesOf(reported.output ?? "", this.#timeOf(reported.msAgo ?? 0));
    if (logs.length === 0) return instance;
    const appends = [{ id: instance.id, fence: 0, logs }];
    const { at } = await store.appendLogs({ at: clock.now(), appends });
    events.logged(instance, logs, at);
    return instance;
  }

  /** The run with an id, or else the newest unfinished one, or else the newest. */
  async #runOf(job: JobDefinition, runId: string | undefined): Promise<Instance | null> {
    const { store } = this.#parts;
    if (runId !== undefined) return await store.get(idOf(job, runId));
    const [open] = await this.#openWithoutId(job);
    if (open) return open;
    const { items } = await store.list({ kinds: [job.kind] }, { limit: 1 });
    return items[0] ?? null;
  }

  /** The unfinished runs that began without an id, newest first. */
  async #openWithoutId({ kind }: JobDefinition): Promise<readonly Instance[]> {
    const query = { kinds: [kind], states: ["processing"] } as const;
    const { items } = await this.#parts.store.list(query, { limit: 100 });
    return items.filter(({ id }) => id[VERSION_PLACE] !== NAMED);
  }

  #timeOf(msAgo: number): number {
    const age = Math.min(Math.max(0, msAgo), REPORT_AGE_MS_MAX);
    return Math.floor(this.#parts.clock.now().wallMs - age);
  }

  async #send(job: JobDefinition, reported: ReportedRun, times: Times) {
    const { store, clock, events } = this.#parts;
    const report = await this.#reportOf(job, reported, times);
    const { value, at } = await store.recordRuns({ at: clock.now(), runs: [report] });
    const { instance, status } = value.runs[0]!;
    if (status === "repeated") return { instance, isRepeated: true };
    if (!isFinal(instance.state)) {
      events.changed(instance, at);
      this.#changed();
    } else if (instance.processedAt === null) {
      if (instance.state === "completed") events.changed(instance, at);
      else events.failed(instance, at);
    } else {
      events.changed(instance, at);
      events.attempted(instance, Math.max(0, instance.settledAt! - instance.processedAt));
    }
    events.logged(instance, report.logs, at);
    return { instance, isRepeated: false };
  }

  async #reportOf(
    job: JobDefinition,
    reported: ReportedRun,
    { id, startedAt, endedAt }: Times,
  ): Promise<RunReport> {
    const at = startedAt ?? endedAt!;
    const isFailure = reported.event === "failure";
    return {
      instance: await this.#newInstance(job, id, at),
      node: reported.host ?? "elsewhere",
      startedAt,
      end: endedAt === null ? null : {
        // The ages of one report may be rounded.
        at: Math.max(endedAt, startedAt ?? endedAt),
        state: isFailure ? "terminated" : "completed",
        reason: isFailure ? "error" : "ok",
        error: isFailure ? errorOf(reported) : null,
      },
      logs: linesOf(reported.output ?? "", endedAt ?? at),
    };
  }

  async #newInstance(job: JobDefinition, id: string, at: number): Promise<NewInstance> {
    const { store } = this.#parts;
    const schedules = job.schedules.length === 0
      ? []
      : await listAllSchedules(store, { kind: job.kind });
    return externalInstance(job, { id, at, tick: tickOfRun(schedules, at) });
  }
}

/** The instance of a report, and its times in epoch ms. */
interface Times {
  readonly id: string;
  readonly startedAt: number | null;
  /** Null while it runs. */
  readonly endedAt: number | null;
}

function idOf({ kind }: JobDefinition, runId: string): string {
  return idOfText(`run ${kind}\n${runId.toLowerCase()}`, NAMED);
}

function isGivenUp({ state, reason }: Instance): boolean {
  return state === "timedOut" && reason === "timeout";
}

function checkReport(reported: ReportedRun): void {
  const { runId, host, exitCode, startedMsAgo = 0, msAgo = 0 } = reported;
  const refuse = (option: string, problem: string) => {
    throw new JobError("invalid_argument", `Cannot record a run: ${problem}`, {
      options: [option],
    });
  };
  if (runId !== undefined && !isUuid(runId.toLowerCase())) {
    refuse("runId", "its run id is not a UUID");
  }
  if (host !== undefined && (host === "" || host.length > REPORT_HOST_LENGTH_MAX)) {
    refuse("host", `its host has ${host.length} characters, wanted 1 to ${REPORT_HOST_LENGTH_MAX}`);
  }
  if (exitCode !== undefined && !(Number.isInteger(exitCode) && exitCode >= 0 && exitCode <= 255)) {
    refuse("exitCode", `its exit code is ${exitCode}, wanted 0 to 255`);
  }
  for (const [option, ms] of [["startedMsAgo", startedMsAgo], ["msAgo", msAgo]] as const) {
    if (!Number.isFinite(ms)) refuse(option, "its times are not numbers");
  }
}

function errorOf({ exitCode, signal, message }: ReportedRun): ErrorInfo {
  const found = signal !== undefined
    ? `The command was ended by ${signal}`
    : exitCode !== undefined
    ? `The command exited with code ${exitCode}`
    : "The run was reported as failed";
  return {
    name: "CommandError",
    message: (message ?? found).slice(0, LINE_LENGTH_MAX),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal: signal.slice(0, 20) }),
  };
}

function linesOf(output: string, at: number): readonly LogEntry[] {
  const lines = cutText(output, REPORT_BYTES_MAX).split(/\r\n|\n|\r/);
  if (lines.at(-1) === "") lines.pop();
  return lines.slice(0, LINES_MAX).map((line) => ({
    at,
    level: "info",
    message: line.slice(0, LINE_LENGTH_MAX),
    source: "stdout",
  }));
}
