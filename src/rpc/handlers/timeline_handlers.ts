import type { Instance } from "../../core/instance.ts";
import { withoutUndefined } from "../../core/text/object_keys.ts";
import type {
  Density,
  ForecastEntry,
  TimelineApi,
  TimelineCounts,
  TimelineGap,
} from "../../manager/api/timeline.ts";
import type {
  DensitySchema,
  ForecastEntrySchema,
  ForecastRequest,
  LookupTimelineRequest,
  TimelineCountsSchema,
  TimelineGapSchema,
  TimelineRunSchema,
} from "../gen/job_pb.ts";
import { BRIEF_CHARACTERS } from "../limits.ts";
import { WIRE_STATE } from "../messages/convert.ts";
import { bounded, readSet, readTime, textOf } from "../messages/requests.ts";
import type { WireRecord } from "../messages/wire_record.ts";
import type { Handlers } from "./handler.ts";

/** Longest error of a run in a timeline: as much as fits is shown. */
const ERROR_LENGTH_MAX = 300;
/** Most schedules beyond a forecast whose jobs it names. */
const LEFT_OUT_MAX = 100;

/** Handlers of the methods about past and future by time. */
export function timelineHandlers(
  manager: TimelineApi,
): Pick<Handlers, "forecast" | "calendar" | "lookupTimeline"> {
  return {
    async forecast(request) {
      const found = await manager.forecast({ ...readSpan(request), ...readCounts(request) });
      const { leftOut } = found;
      return {
        ...found,
        leftOut: leftOut.length,
        leftOutKinds: [...new Set(leftOut.slice(0, LEFT_OUT_MAX))],
        entries: found.entries.map(entryToWire),
        densities: found.densities.map(densityToWire),
      };
    },
    async calendar(request) {
      const { hours } = request;
      const timezone = textOf(request.timezone);
      const query = withoutUndefined({ ...readSpan(request), timezone, hours });
      const { cells, ...rest } = await manager.calendar(query);
      return {
        ...rest,
        cells: cells.map(({ ended, clockChange, ...cell }) => {
          return { ...cell, ...ended, clockChangeSeconds: clockChange };
        }),
      };
    },
    async lookupTimeline(request, call) {
      call.canBeBrief = true;
      const lengthMax = call.isBrief ? BRIEF_CHARACTERS : ERROR_LENGTH_MAX;
      const found = await manager.lookupTimeline({ ...readSpan(request), ...readCounts(request) });
      return {
        ...found,
        runs: found.runs.map((run) => runToWire(run, lengthMax)),
        gaps: found.gaps.map(gapToWire),
        counts: found.counts.map(countsToWire),
      };
    },
  };
}

function readSpan({ from, to, kinds }: Pick<ForecastRequest, "from" | "to" | "kinds">) {
  const some = bounded(kinds, "kinds");
  return withoutUndefined({
    from: readSet(from, readTime, "from"),
    to: readSet(to, readTime, "to"),
    kinds: some.length > 0 ? some : undefined,
  });
}

function readCounts(
  { limit, spans }: Pick<ForecastRequest | LookupTimelineRequest, "limit" | "spans">,
) {
  return withoutUndefined({ limit, spans });
}

function entryToWire(
  { schedule, instance, ...entry }: ForecastEntry,
): WireRecord<typeof ForecastEntrySchema> {
  return {
    ...entry,
    scheduleId: schedule?.id ?? instance?.scheduleId,
    uuid: instance?.id,
    attempts: instance?.attempt ?? 0,
  };
}

function densityToWire(
  { schedule, ticks, skipped }: Density,
): WireRecord<typeof DensitySchema> {
  return {
    kind: schedule?.kind,
    scheduleId: schedule?.id,
    ticks: [...ticks],
    skipped: [...skipped],
  };
}

function runToWire(
  instance: Instance,
  lengthMax: number,
): WireRecord<typeof TimelineRunSchema> {
  return {
    ...instance,
    uuid: instance.id,
    state: WIRE_STATE[instance.state],
    startedAt: instance.processedAt,
    endedAt: instance.settledAt,
    attempts: instance.attempt,
    error: instance.error?.message.slice(0, lengthMax),
  };
}

function gapToWire({ kind, fate, why }: TimelineGap): WireRecord<typeof TimelineGapSchema> {
  return { ...fate, kind, outcome: fate.fate, why, decidedAt: fate.at };
}

function countsToWire(
  { kind, counts }: TimelineCounts,
): WireRecord<typeof TimelineCountsSchema> {
  return {
    kind,
    completed: counts.get("completed") ?? [],
    terminated: counts.get("terminated") ?? [],
    canceled: counts.get("canceled") ?? [],
    timedOut: counts.get("timedOut") ?? [],
    unfinished: counts.get(null) ?? [],
  };
}
