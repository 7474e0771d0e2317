import type { Incident } from "../../core/notices/incident.ts";
import type { ChannelSummary } from "../../core/notices/settings.ts";
import type { ChannelSchema, IncidentSchema } from "../gen/job_pb.ts";
import type { WireRecord } from "./wire_record.ts";

/** An incident on the wire. @param errorLengthMax longest last error */
export function incidentToWire(
  incident: Incident,
  errorLengthMax = Infinity,
): WireRecord<typeof IncidentSchema> {
  const { subject, events, told, lastError, lastInstanceId } = incident;
  return {
    ...incident,
    ...subject,
    events: [...events],
    lastError: lastError?.slice(0, errorLengthMax),
    lastUuid: lastInstanceId,
    told: [...told],
  };
}

/** A channel on the wire. */
export function channelToWire(channel: ChannelSummary): WireRecord<typeof ChannelSchema> {
  const { name, to, on, jobs } = channel;
  return { name, to, on: [...on], jobs: [...jobs] };
}
