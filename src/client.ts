import { type ErrorCode, isJobError } from "./core/errors.ts";
import { HTTP_STATUS } from "./core/http_status.ts";

export { toJson, toJsonString } from "@bufbuild/protobuf";
export { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
export { JobError } from "./core/errors.ts";
export type { ErrorCode } from "./core/errors.ts";
export { connect } from "./rpc/client/client.ts";
export type {
  CallOptions,
  ConnectOptions,
  JobClient,
  JobMethods,
  StreamMethods,
} from "./rpc/client/client.ts";
// The messages, their schemas and JobState of the contract.
export * from "./rpc/gen/job_pb.ts";

/** The HTTP status for an error of the client, for web applications; 500 for any other error. */
export function httpStatusOf(error: unknown): typeof HTTP_STATUS[ErrorCode] {
  return isJobError(error) ? HTTP_STATUS[error.code] : 500;
}
