import type { DescMessage } from "@bufbuild/protobuf";
import { file_job } from "../gen/job_pb.ts";
import { messageData } from "./message_data.ts";
import { planOf } from "./message_plan.ts";
import { MessageReader } from "./read_message.ts";

/** A message of the contract, which says itself of which type it is. */
export interface AnyMessage {
  readonly $typeName: string;
}

const schemas = new Map<string, DescMessage>(
  file_job.messages.map((schema) => [schema.typeName, schema]),
);

function schemaOf(typeName: string): DescMessage {
  const schema = schemas.get(typeName);
  if (schema === undefined) throw new TypeError(`${typeName} is not a message of job.proto`);
  return schema;
}

/** A message as data; see {@link messageData}. */
export function anyMessageData(message: AnyMessage): Record<string, unknown> {
  return messageData(schemaOf(message.$typeName), message);
}

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
  return new MessageReader(failure).message(schemaOf(typeName), value);
}

/** The names of the fields of a message type in JSON, in their order. */
export function fieldNames(typeName: string): string[] {
  return planOf(schemaOf(typeName)).fields.map(({ name }) => name);
}
