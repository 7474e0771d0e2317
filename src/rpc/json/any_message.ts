import { type DescMessage, type Message, toBinary } from "@bufbuild/protobuf";
import { file_job } from "../gen/job_pb.ts";
import { planOf } from "./message_plan.ts";
import { MessageReader } from "./read_message.ts";
import { writeMessage } from "./write_message.ts";

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

/** A message as JSON text; see {@link writeMessage}. */
export function writeAnyMessage(message: AnyMessage): string {
  const schema = schemaOf(message.$typeName);
  return writeMessage(schema, toBinary(schema, message as Message));
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
