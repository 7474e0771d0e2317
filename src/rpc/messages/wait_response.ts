import type { Instance } from "../../core/instance.ts";
import { instanceChars } from "../../core/payload_chars.ts";
import { instanceToWire } from "./convert.ts";
import type { WaitInstanceResponse } from "../gen/job_pb.ts";
import { decodeMessage, encodeMessage, type RecordOf } from "../model/message_codec.ts";

// Hundreds of calls may wait for one large instance and end together. So the response for a large
// instance has only its id; each call then reads it through the gate.

/** From this many characters on, an instance is read through the gate. */
const LARGE_CHARS = 8_000;
/** Bytes of a response with only a UUID: two tags, two lengths and the text. */
const ONLY_ID_BYTES = 2 + 2 + 36;

/** The response of a wait: the final instance, or an id to read it by. */
export function waitResponse(ended: Instance | string): RecordOf<WaitInstanceResponse> {
  if (typeof ended === "string") return { instance: { uuid: ended } };
  return {
    instance: instanceChars(ended) < LARGE_CHARS ? instanceToWire(ended) : { uuid: ended.id },
  };
}

/** The request that reads the instance of a wait; null if the response has it. */
export function restOfWait(response: Uint8Array): Uint8Array | null {
  // A whole instance also has a kind and times.
  if (response.byteLength !== ONLY_ID_BYTES) return null;
  const { instance } = decodeMessage<WaitInstanceResponse>("job.v1.WaitInstanceResponse", response);
  return encodeMessage("job.v1.LookupInstancesRequest", { query: { uuid: instance!.uuid } });
}
