import type { StoreStep, StoreWork } from "../../maintenance/step.ts";
import type { ManagerApi } from "../../manager/api.ts";
import type { WorkOnStoreRequest } from "../gen/job_pb.ts";
import { decodeRequest } from "../messages/decode_request.ts";
import { encodeMessage } from "../model/message_codec.ts";
import { isSet, refuse } from "../messages/requests.ts";

/** The messages of a WorkOnStore call. @throws JobError `invalid_argument` */
export async function* workSteps(
  manager: ManagerApi,
  request: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const work = readWork(decodeRequest<WorkOnStoreRequest>("job.v1.WorkOnStoreRequest", request));
  for await (const step of manager.workOnStore(work, { signal })) {
    yield encodeMessage("job.v1.WorkOnStoreResponse", stepToWire(step));
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

/** The response with one of its mutually exclusive fields. */
function stepToWire(step: StoreStep): object {
  switch (step.type) {
    case "progress":
      return { progress: step.text };
    case "chunk":
      return { chunk: step.bytes };
    case "report":
      return { reportJson: JSON.stringify(step.report) };
  }
}
