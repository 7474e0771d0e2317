import { JobError } from "../../core/errors.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type { GetCallerResponse, JobInstance, PauseEntry } from "../../rpc/gen/job_pb.ts";
import { present } from "../lookup/lookup.ts";
import { shortId, type Subject } from "./sections.ts";

/** A key's action, performed once confirmed. */
export interface Action {
  /** Describes the exact effect. */
  readonly question: string;
  /** @returns a description of the result */
  run(client: JobClient): Promise<string>;
}

/** Why a key does nothing here. */
export interface Refusal {
  readonly refusal: string;
}

/** Name of an instance: `report 75f49cb8`. */
export function nameOf({ kind, uuid }: Pick<JobInstance, "kind" | "uuid">): string {
  return `${kind} ${shortId(uuid)}`;
}

/** Cancel the instance of a row. */
export function cancelAction(subject: Subject): Action | Refusal {
  if (subject.type === "upcoming" && subject.run.uuid !== undefined) {
    const { kind, uuid } = subject.run;
    const name = `${kind} ${shortId(uuid)}`;
    return cancelOf(uuid, name, `Cancel ${name}, which waits? It will not run.`);
  }
  if (subject.type === "upcoming") {
    return { refusal: "This is a tick of a schedule: pause the job, or jobctl skip" };
  }
  if (subject.type !== "running") {
    return { refusal: "Only a run that has not ended can be canceled" };
  }
  const name = nameOf(subject.instance);
  const question =
    `Cancel ${name}, which is running? It is asked to stop, and killed if it does not.`;
  return cancelOf(subject.instance.uuid, name, question);
}

function cancelOf(uuid: string, name: string, question: string): Action {
  return {
    question,
    async run(client) {
      const { instances } = await client.cancelInstances({ query: { uuid } });
      if (instances.length > 0) return `Canceled ${name}`;
      throw new JobError("conflict", `Cannot cancel ${name}: it has already finished`);
    },
  };
}

/** Run the instance of a row again, or the row's schedule now. */
export function retryAction(subject: Subject): Action | Refusal {
  if (subject.type === "upcoming" && subject.run.scheduleId !== undefined) {
    return runAction(subject.run.kind, subject.run.scheduleId);
  }
  if (subject.type === "running") {
    return { refusal: "It is still running: it can be run again once it has ended" };
  }
  if (subject.type !== "failure") return { refusal: "Only a run that has ended can be run again" };
  const { instance } = subject;
  const name = nameOf(instance);
  const again = instance.redrivenAs === undefined
    ? ""
    : ` It was already run again as ${shortId(instance.redrivenAs)}.`;
  return {
    question: `Run ${name} again, as a new instance with the same arguments?${again}`,
    async run(client) {
      const answer = await client.retryInstance({ uuid: instance.uuid });
      const { uuid } = present(answer.instance, `Cannot retry ${name}`);
      return `Runs again as ${shortId(uuid)}`;
    },
  };
}

function runAction(kind: string, scheduleId: string): Action {
  return {
    question:
      `Run ${kind} now, as its schedule ${scheduleId} does? The next runs stay as they are.`,
    async run(client) {
      const { instance } = await client.runSchedule({ kind, scheduleId });
      return `Runs as ${shortId(present(instance, `Cannot run ${kind}`).uuid)}`;
    },
  };
}

/** End the reminders of the incident of a row, or begin them again. */
export function acknowledgeAction(subject: Subject): Action | Refusal {
  if (subject.type !== "incident") return { refusal: "Only an incident can be acknowledged" };
  const { id, type, name, acknowledgedBy } = subject.incident;
  const undo = acknowledgedBy !== undefined;
  const what = `the incident of ${type} ${name}`;
  return {
    question: undo
      ? `Take the acknowledgment of ${what} by ${acknowledgedBy} back? Reminders are sent again.`
      : `Acknowledge ${what}? No more reminders of it are sent.`,
    async run(client) {
      await client.acknowledgeIncident({ type, name, id, undo });
      return undo ? `No longer acknowledged: ${what}` : `Acknowledged ${what}`;
    },
  };
}

/** Pause a job, or end its pause. @param kind undefined for all jobs */
export function pauseAction(kind: string | undefined, pauses: readonly PauseEntry[]): Action {
  const what = kind === undefined ? "all jobs" : `job ${kind}`;
  const isPaused = pauses.some((pause) => pause.kind === kind);
  if (isPaused) return resumeAction(kind, what, pauses);
  return {
    question: `Pause ${what} until resumed? Ticks are skipped, and new instances wait. ` +
      "Running attempts continue.",
    async run(client) {
      await client.pause({ kind, reason: "jobctl top" });
      return `Paused ${what}`;
    },
  };
}

function resumeAction(
  kind: string | undefined,
  what: string,
  pauses: readonly PauseEntry[],
): Action {
  const isAllPaused = kind !== undefined && pauses.some((pause) => pause.kind === undefined);
  const still = isAllPaused ? " It stays paused, as all jobs are." : "";
  return {
    question: `Resume ${what}? What waits runs as soon as it may.${still}`,
    async run(client) {
      const { wasPaused } = await client.resume({ kind });
      return wasPaused ? `Resumed ${what}` : `No change: ${what} was not paused`;
    },
  };
}

/** Why a caller may only look; undefined if it may act, or if the daemon does not report it. */
export function refusalFor(caller: GetCallerResponse | null): string | undefined {
  if (caller?.role !== "viewer") return undefined;
  return `"${caller.name}" may only look: its role is viewer, operator is needed`;
}
