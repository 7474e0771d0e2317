import type { DescMessage } from "@bufbuild/protobuf";
import { file_job } from "../gen/job_pb.ts";
import { MessageReader } from "./read_message.ts";

const schemas = new Map<string, DescMessage>(
  file_job.messages.map((schema) => [schema.typeName, schema]),
);

/**
 * The fields of a message from a value of JSON, in the form that requests are written in.
 *
 * @param failure begins the errors, such as "Cannot read it"
 * @throws JobError `invalid_argument` with the path of the member
 */
export function readAnyMessage(
  typeName: string,
  value: unknown,
  failure: string,
): Readonly<Record<string, unknown>> {
  const schema = schemas.get(typeName);
  if (schema === undefined) throw new TypeError(`${typeName} is not a message of job.proto`);
  return new MessageReader(failure).message(schema, value);
}
