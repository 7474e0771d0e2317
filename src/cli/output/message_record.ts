import { jsonFields } from "../../rpc/model/json_names.ts";
import { type AnyMessage, messageData } from "../../rpc/model/write_json.ts";
import type { PlainRecord } from "./view.ts";

/** Messages with their id also as `uuid`, like in go-job. */
const WITH_UUID = "job.v1.JobInstance";

/** A message of the contract as plain data: the JSON of the HTTP API. */
export function messageRecord(message: AnyMessage & Texts): PlainRecord {
  const read = messageData(message) as PlainRecord;
  const record = { ...read, ...textsOf(message, read) };
  if (message.$typeName !== WITH_UUID) return record;
  const { kind, id } = read;
  // An instance of a dry run has no id.
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

/** The same with every key of its type, undefined for one without a value. */
export function wholeRecord(message: AnyMessage & Texts): PlainRecord {
  const blank = messageKeys(message.$typeName).map((key) => [key, undefined] as const);
  return { ...Object.fromEntries(blank), ...messageRecord(message) };
}

/** The keys of the records of a message type, in their order. */
export function messageKeys(typeName: string): string[] {
  const keys = jsonFields(typeName).map(({ json }) => json);
  return typeName === WITH_UUID ? [...new Set(["kind", "id", "uuid", ...keys])] : keys;
}
