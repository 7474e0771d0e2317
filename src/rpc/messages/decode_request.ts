import type { Message } from "@bufbuild/protobuf";
import { isJobError, JobError, messageOf } from "../../core/errors.ts";
import { TEXT_LENGTH_MAX } from "../../core/text/text_limits.ts";
import { snakeCase } from "../../core/text/snake_case.ts";
import { decodeMessage } from "../model/message_codec.ts";
import { type Field, shortName, tableOf } from "../model/message_table.ts";
import { REQUEST_ITEMS_MAX } from "../limits.ts";
import { refuse } from "./requests.ts";

/** Longest text of fields, by name. Others have a name's limit; null is limited elsewhere. */
const FIELD_LENGTH_MAX: Readonly<Record<string, number | null>> = {
  // The job's types and the payload size limit the arguments.
  arguments: null,
  argumentsJson: null,
  // Limited as the values that they are.
  valueJson: null,
  setJson: null,
  // Cut to its own limit.
  output: null,
  uniqueKey: TEXT_LENGTH_MAX.uniqueKey,
  reason: TEXT_LENGTH_MAX.pauseReason,
  cron: TEXT_LENGTH_MAX.cron,
  blackout: TEXT_LENGTH_MAX.blackout,
  pageToken: TEXT_LENGTH_MAX.pageToken,
  cursor: TEXT_LENGTH_MAX.pageToken,
  to: TEXT_LENGTH_MAX.address,
  prefix: TEXT_LENGTH_MAX.address,
};

/**
 * Decode a request.
 *
 * @throws JobError `invalid_argument` for bytes that are not a valid message, invalid UTF-8
 * included, for a text that is too long, and for lists that have too many items together
 */
export function decodeRequest<T extends Message>(typeName: T["$typeName"], bytes: Uint8Array): T {
  const message = readMessage<T>(typeName, bytes);
  checkTexts(typeName, message);
  return message;
}

function readMessage<T extends Message>(typeName: T["$typeName"], bytes: Uint8Array): T {
  try {
    return decodeMessage<T>(typeName, bytes, REQUEST_ITEMS_MAX);
  } catch (error) {
    if (isJobError(error)) throw error;
    const failure = `Cannot read ${shortName(typeName)}: ${messageOf(error)}`;
    throw new JobError("invalid_argument", failure, {
      hint: "The bytes must be a protobuf message, and its strings valid UTF-8",
      cause: error,
    });
  }
}

/**
 * Check that no text in a request exceeds the limit of its field.
 *
 * @throws JobError `invalid_argument` naming the field
 */
export function checkTexts(typeName: string, message: object, prefix = ""): void {
  for (const field of tableOf(typeName).fields) {
    const value: unknown = Reflect.get(message, field.name);
    if (value === undefined || value === "") continue;
    if (!field.isList) checkText(field, value, prefix);
    else for (const each of value as readonly unknown[]) checkText(field, each, prefix);
  }
}

function checkText({ name, kind, type }: Field, value: unknown, prefix: string): void {
  if (kind === "message") {
    return checkTexts(type, value as object, `${prefix}${snakeCase(name)}.`);
  }
  if (kind !== "text" && kind !== "json") return;
  const lengthMax = Object.hasOwn(FIELD_LENGTH_MAX, name)
    ? FIELD_LENGTH_MAX[name]!
    : TEXT_LENGTH_MAX.name;
  const { length } = value as string;
  if (lengthMax === null || length <= lengthMax) return;
  const path = prefix + snakeCase(name);
  throw refuse(path, `found ${length} characters, wanted at most ${lengthMax}`);
}
