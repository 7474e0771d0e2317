import type { DescMessage, Message } from "@bufbuild/protobuf";
import { parseJson } from "../../core/arguments/json_text.ts";
import { file_job } from "../../rpc/gen/job_pb.ts";
import { planOf } from "../../rpc/json/message_plan.ts";
import { writeMessage } from "../../rpc/json/write_message.ts";
import type { PlainRecord } from "./view.ts";

/** Messages whose id is also there as `uuid`, as in go-job. */
const WITH_UUID = "job.v1.JobInstance";

const schemas = new Map<string, DescMessage>(
  file_job.messages.map((schema) => [schema.typeName, schema]),
);

function schemaOf(typeName: string): DescMessage {
  const schema = schemas.get(typeName);
  if (schema === undefined) throw new TypeError(`${typeName} is not a message of job.proto`);
  return schema;
}

/** A message of the contract as plain data: the JSON of the HTTP API. */
export function messageRecord(message: Message & Texts): PlainRecord {
  const read = parseJson(writeMessage(schemaOf(message.$typeName), message)) as PlainRecord;
  const record = { ...read, ...textsOf(message, read) };
  if (message.$typeName !== WITH_UUID) return record;
  const { kind, id } = read;
  // What a dry run would queue has no id.
  return id === "" ? { ...record, id: undefined } : { kind, id, uuid: id, ...record };
}

/** An older daemon sends no JSON, but a text for each argument and result. */
interface Texts {
  readonly arguments?: readonly string[];
  readonly results?: readonly string[];
}

function textsOf(message: Texts, read: PlainRecord): PlainRecord {
  const { arguments: values = [], results = [] } = message;
  return {
    ...(read.arguments === undefined && values.length > 0 ? { arguments: values } : {}),
    ...(read.results === undefined && results.length > 0 ? { results } : {}),
  };
}

/** The keys of the records of a message type, in their order. */
export function messageKeys(name: string): string[] {
  const typeName = `job.v1.${name}`;
  const keys = planOf(schemaOf(typeName)).fields.map((field) => field.name);
  return typeName === WITH_UUID ? [...new Set(["kind", "id", "uuid", ...keys])] : keys;
}
