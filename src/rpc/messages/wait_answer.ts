import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Instance } from "../../core/instance.ts";
import { instanceChars } from "../../core/payload_chars.ts";
import { instanceToWire } from "./convert.ts";
import { LookupInstancesRequestSchema, WaitInstanceResponseSchema } from "../gen/job_pb.ts";

// Hundreds may wait for an instance that has megabytes, and it ends for all of them at once. Waits
// therefore end with its id alone when it is not small; each then reads it when it is its turn.

/** Characters from which on an instance is read in turns. */
const LARGE_CHARS = 8_000;
/** Bytes of an answer that has a UUID and nothing else: two tags, two lengths and the text. */
const ONLY_ID_BYTES = 2 + 2 + 36;

/** How a wait ended: with a final instance, or with the id of one that has to be read. */
export function waitAnswer(
  ended: Instance | string,
): MessageInitShape<typeof WaitInstanceResponseSchema> {
  if (typeof ended === "string") return { instance: { uuid: ended } };
  return {
    instance: instanceChars(ended) < LARGE_CHARS ? instanceToWire(ended) : { uuid: ended.id },
  };
}

/** The request that reads what a wait left out; null if its answer is whole. */
export function restOfWait(answer: Uint8Array): Uint8Array | null {
  // A whole instance also has a kind and times.
  if (answer.byteLength !== ONLY_ID_BYTES) return null;
  const { instance } = fromBinary(WaitInstanceResponseSchema, answer);
  const request = create(LookupInstancesRequestSchema, { query: { uuid: instance!.uuid } });
  return toBinary(LookupInstancesRequestSchema, request);
}
