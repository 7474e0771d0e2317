import { create, isMessage, ScalarType, toBinary } from "@bufbuild/protobuf";
import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";
import { quoteValue } from "../../core/arguments/describe.ts";
import { JobError, messageOf } from "../../core/errors.ts";
import { didYouMean } from "../../core/text/nearest.ts";
import { isFlag, isObject, isText } from "../../core/object_keys.ts";

/**
 * Encode a request. Refuses members that the encoding would ignore: a cancel with a misspelled
 * condition would cancel more than its caller meant.
 *
 * @throws JobError `invalid_argument` with the path of the field and the nearest known one
 */
export function encodeRequest(desc: DescMessage, request: object, method: string): Uint8Array {
  const failure = `Cannot call ${method}`;
  const problem = messageProblem(desc, request);
  if (problem !== null) throw toJobError(problem, failure);
  try {
    return toBinary(desc, create(desc, request as Record<string, unknown>));
  } catch (error) {
    throw new JobError("invalid_argument", `${failure}: ${messageOf(error)}`, { cause: error });
  }
}

/** The fault of a value. Paths are made on the way back: a valid request costs nothing. */
interface Problem {
  /** Path from the checked value to the one at fault; empty for the checked value itself. */
  readonly path: string;
  /** The value found and the one wanted; null for a field that does not exist. */
  readonly mismatch: { readonly found: unknown; readonly wanted: string } | null;
  /** Names of the fields that exist. */
  readonly known: readonly string[];
}

function mismatch(found: unknown, wanted: string): Problem {
  return { path: "", mismatch: { found, wanted }, known: [] };
}

function below(step: string, problem: Problem): Problem {
  const { path } = problem;
  return { ...problem, path: `${step}${path === "" || path.startsWith("[") ? "" : "."}${path}` };
}

function messageProblem(desc: DescMessage, value: unknown): Problem | null {
  if (isMessage(value, desc)) return null;
  if (!isObject(value) || isMessage(value) || value instanceof Date) {
    const isTime = desc.typeName === "google.protobuf.Timestamp";
    const time = "a Timestamp: timestampFromDate(date) makes it";
    return mismatch(value, isTime ? time : "an object of fields");
  }
  for (const name of Object.keys(value as object)) {
    const field = desc.field[name];
    if (field) {
      const problem = fieldProblem(field, Reflect.get(value as object, name));
      if (problem !== null) return below(name, problem);
    } else if (!isOneof(desc, name)) {
      const known = desc.members.map(({ localName }) => localName);
      return { path: name, mismatch: null, known };
    }
  }
  return null;
}

function isOneof(desc: DescMessage, name: string): boolean {
  return name === "$typeName" || desc.oneofs.some(({ localName }) => localName === name);
}

function fieldProblem(field: DescField, value: unknown): Problem | null {
  if (value === undefined) return null;
  if (field.fieldKind !== "list") return valueProblem(field, value);
  if (!Array.isArray(value)) return mismatch(value, "a list");
  for (let index = 0; index < value.length; index++) {
    const problem = valueProblem(field, value[index]);
    if (problem !== null) return below(`[${index}]`, problem);
  }
  return null;
}

function valueProblem(
  { message, enum: choices, scalar }: DescField,
  value: unknown,
): Problem | null {
  if (message) return messageProblem(message, value);
  if (choices) return choiceProblem(choices, value);
  if (scalar === ScalarType.STRING && !isText(value)) return mismatch(value, "text");
  if (scalar === ScalarType.BOOL && !isFlag(value)) return mismatch(value, "true or false");
  return null;
}

function choiceProblem(desc: DescEnum, value: unknown): Problem | null {
  if (typeof value === "number" && desc.value[value]) return null;
  return mismatch(value, `a ${desc.name} such as ${desc.name}.${desc.values.at(-1)!.localName}`);
}

function toJobError({ path, mismatch, known }: Problem, failure: string): JobError {
  if (mismatch !== null) {
    const found = quoteValue(mismatch.found);
    const problem = path === "" ? `found ${found}, wanted` : `"${path}" is ${found}, not`;
    return new JobError("invalid_argument", `${failure}: ${problem} ${mismatch.wanted}`, { path });
  }
  const name = path.slice(path.lastIndexOf(".") + 1);
  const parent = path.slice(0, path.length - name.length);
  return new JobError("invalid_argument", `${failure}: unknown field "${path}"`, {
    path,
    hint: didYouMean(name, known, parent) ?? `Known fields: ${known.join(", ")}`,
  });
}
