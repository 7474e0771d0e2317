import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Instance } from "../core/instance.ts";
import { instanceToWire } from "./convert.ts";
import type { JobInstanceSchema } from "./gen/job_pb.ts";
import { MESSAGE_BYTES_MAX } from "./limits.ts";

/** Bytes of a character of JSON text at most. */
export const BYTES_OF_CHARACTER = 3;
/** A JobInstance has some 20 small fields. */
const BYTES_OF_INSTANCE = 700;

type WireInstance = MessageInitShape<typeof JobInstanceSchema>;

function estimateBytes(instance: Instance): number {
  const characters = instance.argumentsJson.length + (instance.resultsJson?.length ?? 0) +
    (instance.error?.message.length ?? 0) * 2 + (instance.error?.stack?.length ?? 0);
  return BYTES_OF_INSTANCE + characters * BYTES_OF_CHARACTER;
}

/**
 * Instances that were changed, in one message: without their payload when that does not fit, and cut to what does. Unlike a
 * page they cannot be asked for again, as asking changed them.
 */
export function fitInstances(instances: readonly Instance[]): WireInstance[] {
  const bytes = instances.reduce((sum, instance) => sum + estimateBytes(instance), 0);
  if (bytes <= MESSAGE_BYTES_MAX) return instances.map(instanceToWire);
  return instances.slice(0, Math.floor(MESSAGE_BYTES_MAX / BYTES_OF_INSTANCE)).map((instance) => ({
    ...instanceToWire(instance),
    arguments: [],
    results: [],
    error: instance.error?.message.slice(0, 100),
    errorDetail: undefined,
  }));
}
