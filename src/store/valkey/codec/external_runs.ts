import type { TickKey } from "../../../core/time/tick_of_run.ts";
import { JOB_STATES } from "../../../core/state.ts";
import { storable, storableError } from "../../ledger/storable.ts";
import type { RecordRuns, RunReport, RunResult, RunsResult } from "../../external_runs.ts";
import { readWhole } from "./instances.ts";
import { packNewsOfMissed } from "./memos.ts";
import type { Packable, Unpacker } from "./msgpack.ts";
import { packNewInstance } from "./rows.ts";
import { packLines } from "./settlements.ts";

/** A run in the form of the script. */
export function packReport({ instance, node, startedAt, end, logs }: RunReport): Packable {
  const { scheduleId, scheduledFor } = instance;
  return [
    packNewInstance(instance),
    node,
    startedAt === null ? false : Math.floor(startedAt),
    packLines({ logs }),
    end !== null && packEnd(end),
    ...(scheduledFor === null ? [false, false] : [scheduleId ?? false, scheduledFor]),
  ];
}

function packEnd({ at, state, reason, error }: NonNullable<RunReport["end"]>): Packable {
  const isFailure = state !== "completed";
  return [
    Math.floor(at),
    JOB_STATES.indexOf(state),
    storable(reason),
    error !== null && JSON.stringify(storableError(error)),
    isFailure,
    !isFailure && "[]",
  ];
}

/** A tick whose run was not reported, in the form of the script: its key, and its news. */
export function packMissedTick({ scheduleId, tick }: TickKey): Packable {
  return [scheduleId, tick, packNewsOfMissed({ scheduleId, from: tick, to: tick, count: 1 })];
}

/** Read the results of recording runs. */
export function readRecorded(
  from: Unpacker,
  { missed = [] }: Pick<RecordRuns, "missed">,
): RunsResult {
  from.list();
  const runs = from.items(1, () => {
    from.list();
    const status = from.text() as RunResult["status"];
    return { status, instance: readWhole(from).instance };
  });
  const marked = from.read() as readonly number[];
  return { runs, missed: marked.map((place) => missed[place - 1]!) };
}
