import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { DescMessage } from "@bufbuild/protobuf";
import type { ManagerApi } from "../../manager/api.ts";
import type { JobClient, JobMethods, StreamMethods } from "./client.ts";
import { stepToWire } from "../handlers/follow.ts";
import { FollowResponseSchema, JobService, WorkOnStoreResponseSchema } from "../gen/job_pb.ts";
import { type CallState, newCall } from "../handlers/handler.ts";
import { createHandlers } from "../handlers/handlers.ts";
import { readLogQuery } from "../messages/requests.ts";
import { readWork, workStepToWire } from "../handlers/store_work.ts";

type Handle = (request: unknown, call: CallState) => Promise<MessageInitShape<DescMessage>>;

/** A client of a manager in this process: the same requests and responses, no connection. */
export function createLocalClient(manager: ManagerApi): JobClient {
  const handlers = createHandlers(manager) as unknown as Readonly<Record<string, Handle>>;
  const methods: Record<string, unknown> = {};
  for (const method of JobService.methods) {
    if (method.methodKind !== "unary") continue;
    methods[method.localName] = async (request: MessageInitShape<DescMessage> = {}) => {
      const call = newCall(() => false);
      const response = await handlers[method.localName]!(create(method.input, request), call);
      return create(method.output, response);
    };
  }
  const follow: StreamMethods["follow"] = async function* (request, { signal } = {}) {
    const { query, level } = create(JobService.method.follow.input, request);
    const { instanceId, kind, level: from } = readLogQuery({ query, level });
    for await (const step of manager.follow({ instanceId, kind, level: from }, { signal })) {
      yield create(FollowResponseSchema, stepToWire(step));
    }
  };
  const workOnStore: StreamMethods["workOnStore"] = async function* (request, { signal } = {}) {
    const work = readWork(create(JobService.method.workOnStore.input, request));
    for await (const step of manager.workOnStore(work, { signal })) {
      yield create(WorkOnStoreResponseSchema, workStepToWire(step));
    }
  };
  return { ...methods as unknown as JobMethods, follow, workOnStore, close: () => {} };
}
