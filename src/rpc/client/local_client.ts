import { fromBinary } from "@bufbuild/protobuf";
import type { ManagerApi } from "../../manager/api.ts";
import { JobService } from "../gen/job_pb.ts";
import type { StreamName, UnaryName } from "../backend.ts";
import { LocalBackend } from "../handlers/local_backend.ts";
import type { CallOptions, JobClient } from "./client.ts";
import type { ConnectOptions } from "./connect_options.ts";
import { encodeRequest } from "./encode_request.ts";

/** A client of a manager in this process: the same requests and responses, no connection. */
export function createLocalClient(
  manager: ManagerApi,
  { values }: Pick<ConnectOptions, "values"> = {},
): JobClient {
  const isJson = values === "json";
  const backend = new LocalBackend(manager);
  const methods: Record<string, unknown> = {};
  for (const { methodKind, localName, name, input, output } of JobService.methods) {
    methods[localName] = methodKind === "unary"
      ? async (request: object = {}) => {
        const call = { isCanceled: () => false, jobs: null, isJson };
        const bytes = encodeRequest(input, request, name);
        return fromBinary(output, await backend.complete(localName as UnaryName, bytes, call));
      }
      : async function* (request: object = {}, { signal }: CallOptions = {}) {
        const call = { signal: signal ?? new AbortController().signal, jobs: null, isJson };
        const bytes = encodeRequest(input, request, name);
        for await (const step of backend.stream(localName as StreamName, bytes, call)) {
          yield fromBinary(output, step);
        }
      };
  }
  return { ...methods, close: () => {} } as unknown as JobClient;
}
