import type { JobOptions } from "../../core/job/gen/job_options.ts";
import type { Incident } from "../../core/notices/incident.ts";
import type { ChannelSummary } from "../../core/notices/settings.ts";
import { formatDuration } from "../../core/time/duration.ts";
import type { ChannelSchema, IncidentSchema, JobNoticesSchema } from "../gen/job_pb.ts";
import type { WireRecord } from "./wire_record.ts";

/** An incident on the wire. @param errorLengthMax longest last error */
export function incidentToWire(
  incident: Incident,
  errorLengthMax = Infinity,
): WireRecord<typeof IncidentSchema> {
  const { subject, events, notified, lastError, lastInstanceId } = incident;
  return {
    ...incident,
    ...subject,
    events: [...events],
    lastError: lastError?.slice(0, errorLengthMax),
    lastUuid: lastInstanceId,
    notified: [...notified],
  };
}

/** A channel on the wire. */
export function channelToWire(channel: ChannelSummary): WireRecord<typeof ChannelSchema> {
  const { on, jobs, rate, repeatMs, digestMs, quiet, limit } = channel;
  return {
    ...channel,
    on: [...on],
    jobs: [...jobs],
    rate: rate === null ? undefined : `${rate.failures}/${rate.of}`,
    repeatMs: repeatMs ?? undefined,
    digestMs: digestMs ?? undefined,
    quiet: [...quiet],
    limit: `${limit.most}/${formatDuration(limit.perMs)}`,
  };
}

/** A job's options about notices, on the wire. */
export function jobNoticesToWire(
  { notify, silence, expect }: JobOptions,
): WireRecord<typeof JobNoticesSchema> {
  return {
    notify: [...notify ?? []],
    hasNotify: notify !== undefined,
    silence: [...silence],
    expect: expectTexts(expect),
  };
}

function expectTexts(expect: JobOptions["expect"]): string[] {
  const { startWithinMs, learn } = expect;
  const spans = Object.entries({
    finish_within: expect.finishWithinMs,
    min_duration: expect.minDurationMs,
    max_duration: expect.maxDurationMs,
    every: expect.everyMs,
  }).filter(([, ms]) => ms > 0).map(([name, ms]) => `${name} ${formatDuration(ms)}`);
  const start = startWithinMs === undefined
    ? []
    : [`start_within ${startWithinMs === 0 ? "0" : formatDuration(startWithinMs)}`];
  return [...start, ...spans, ...(learn ? ["learn"] : [])];
}
