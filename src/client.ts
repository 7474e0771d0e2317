import { type ErrorCode, isJobError } from "./core/errors.ts";

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

/** HTTP status of each error code, for web applications that report a daemon's errors. */
const HTTP_STATUS = {
  invalid_argument: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  already_exists: 409,
  conflict: 409,
  stale_fence: 409,
  resource_exhausted: 429,
  canceled: 500,
  internal: 500,
  invalid_config: 500,
  unimplemented: 501,
  unavailable: 503,
  timeout: 504,
} as const satisfies Readonly<Record<ErrorCode, number>>;

/** The HTTP status for an error of the client, for web applications; 500 for any other error. */
export function httpStatusOf(error: unknown): typeof HTTP_STATUS[ErrorCode] {
  return isJobError(error) ? HTTP_STATUS[error.code] : 500;
}
