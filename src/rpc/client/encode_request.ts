import { create, isMessage, ScalarType, toBinary } from "@bufbuild/protobuf";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { quoteValue } from "../../core/text/quote_value.ts";
import { JobError, messageOf } from "../../core/errors.ts";
import {
  isFlag,
  isObject,
  isText,
  unknownMember,
  wrongMember,
} from "../../core/text/object_keys.ts";

/**
 * Encode a request. Refuses members that the encoding would ignore: a cancel with a misspelled
 * condition would cancel more than its caller meant.
 *
 * @throws JobError `invalid_argument` with the path of the field and the nearest known one
 */
export function encodeRequest(desc: DescMessage, request: object, method: string): Uint8Array {
  const failure = `Cannot call ${method}`;
  new RequestCheck(failure).message(desc, request, "");
  try {
    return toBinary(desc, create(desc, request as Record<string, unknown>));
  } catch (error) {
    throw new JobError("invalid_argument", `${failure}: ${messageOf(error)}`, { cause: error });
  }
}

/** Compares the values of a request with its fields; the path of the request itself is empty. */
class RequestCheck {
  readonly #failure: string;

  constructor(failure: string) {
    this.#failure = failure;
  }

  message(desc: DescMessage, value: unknown, path: string): void {
    if (isMessage(value, desc)) return;
    if (!isObject(value) || isMessage(value) || value instanceof Date) {
      const isTime = desc.typeName === "google.protobuf.Timestamp";
      const time = "a Timestamp: timestampFromDate(date) makes it";
      throw this.#refusal(value, isTime ? time : "an object of fields", path);
    }
    const prefix = path === "" ? "" : `${path}.`;
    for (const name of Object.keys(value as object)) {
      const field = desc.field[name];
      const member: unknown = Reflect.get(value as object, name);
      if (field && member !== undefined) this.#field(field, member, prefix + name);
      else if (!field && name !== "$typeName" && !isOneof(desc, name)) {
        const known = desc.members.map(({ localName }) => localName);
        throw unknownMember(name, known, { failure: this.#failure, noun: "field", prefix });
      }
    }
  }

  #field(field: DescField, value: unknown, path: string): void {
    if (field.fieldKind !== "list") return this.#value(field, value, path);
    if (!Array.isArray(value)) throw this.#refusal(value, "a list", path);
    for (let index = 0; index < value.length; index += 1) {
      this.#value(field, value[index], `${path}[${index}]`);
    }
  }

  #value({ message, enum: choices, scalar }: DescField, value: unknown, path: string): void {
    if (message) this.message(message, value, path);
    else if (choices) {
      if (typeof value === "number" && choices.value[value]) return;
      const { name, values } = choices;
      throw this.#refusal(value, `a ${name} such as ${name}.${values.at(-1)!.localName}`, path);
    } else if (scalar === ScalarType.STRING && !isText(value)) {
      throw this.#refusal(value, "text", path);
    } else if (scalar === ScalarType.BOOL && !isFlag(value)) {
      throw this.#refusal(value, "true or false", path);
    }
  }

  #refusal(value: unknown, wanted: string, path: string): JobError {
    const failure = this.#failure;
    if (path !== "") return wrongMember(path, { failure, value, wanted });
    const problem = `found ${quoteValue(value)}, wanted ${wanted}`;
    return new JobError("invalid_argument", `${failure}: ${problem}`, { path });
  }
}

function isOneof(desc: DescMessage, name: string): boolean {
  return desc.oneofs.some(({ localName }) => localName === name);
}
