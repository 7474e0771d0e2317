import type { DescMessage } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { JobInstanceSchema, ScheduleSchema } from "../../rpc/gen/job_pb.ts";
import type { MethodName } from "../../rpc/backend.ts";

/** Methods that create an instance: the response has status 201, and says where it is. */
export const CREATES: ReadonlySet<MethodName> = new Set([
  "scheduleJob",
  "scheduleJobs",
  "retryInstance",
  "runSchedule",
]);

/**
 * Where that is which was created; null if nothing was, or several instances were.
 *
 * @param output type of the response
 * @param bytes the response
 * @param basePath path of the server behind a proxy
 */
export function placeOf(
  { field: { instance, schedule } }: DescMessage,
  bytes: Uint8Array,
  basePath: string,
): string | null {
  const uuid = instance && textAt(bytes, [instance.number, JobInstanceSchema.field.uuid.number]);
  if (uuid) return `${basePath}/api/v1/instances/${uuid}`;
  const id = schedule && textAt(bytes, [schedule.number, ScheduleSchema.field.id.number]);
  return id ? `${basePath}/api/v1/schedules/${encodeURIComponent(id)}` : null;
}

/** A text in a message inside another one, by the numbers of the two fields; "" if absent. */
function textAt(bytes: Uint8Array, [outer, inner]: readonly [number, number]): string {
  const reader = new BinaryReader(bytes);
  if (!seek(reader, outer, bytes.byteLength)) return "";
  const length = reader.uint32();
  return seek(reader, inner, reader.pos + length) ? reader.string() : "";
}

/** Read up to the value of a field with a length. Returns false if there is none before `end`. */
function seek(reader: BinaryReader, number: number, end: number): boolean {
  const wanted = (number << 3) | WireType.LengthDelimited;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 0 === wanted) return true;
    reader.skip(tag & 7, tag >>> 3);
  }
  return false;
}
