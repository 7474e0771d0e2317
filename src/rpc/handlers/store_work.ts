import type { StoreStep, StoreWork } from "../../maintenance/step.ts";
import type { ManagerApi } from "../../manager/api.ts";
import {
  type WorkOnStoreRequest,
  WorkOnStoreRequestSchema,
  WorkOnStoreResponseSchema,
} from "../gen/job_pb.ts";
import { decodeRequest, encodeResponse } from "../messages/message_codec.ts";
import { isSet, refuse } from "../messages/requests.ts";
import type { WireRecord } from "../messages/wire_record.ts";

/** The messages of a WorkOnStore call. @throws JobError `invalid_argument` */
export async function* workSteps(
  manager: ManagerApi,
  request: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const work = readWork(decodeRequest(WorkOnStoreRequestSchema, request));
  for await (const step of manager.workOnStore(work, { signal })) {
    yield encodeResponse(WorkOnStoreResponseSchema, stepToWire(step));
  }
}

/** @throws JobError `invalid_argument` */
function readWork({ work, to, prefix, compact }: WorkOnStoreRequest): StoreWork {
  switch (work) {
    case "info":
    case "verify":
    case "backup":
    case "undo":
      return { type: work };
    case "gc":
      return { type: "gc", compacts: compact };
    case "migrate":
      if (!to) throw refuse("to", "found none, wanted a target name");
      if (isSet(prefix)) {
        throw refuse(
          "prefix",
          "a caller cannot choose the namespace",
          "Set it on the target in store.targets",
        );
      }
      return { type: "migrate", to, prefix: null };
  }
  throw refuse("work", `found "${work}", wanted info, verify, gc, backup, migrate or undo`);
}

function stepToWire(step: StoreStep): WireRecord<typeof WorkOnStoreResponseSchema> {
  switch (step.type) {
    case "progress":
      return { step: { case: "progress", value: step.text } };
    case "chunk":
      return { step: { case: "chunk", value: step.bytes } };
    case "report":
      return { step: { case: "reportJson", value: JSON.stringify(step.report) } };
  }
}
