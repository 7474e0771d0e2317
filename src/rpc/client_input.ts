import { create, isMessage, ScalarType, toBinary } from "@bufbuild/protobuf";
import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";
import { quoteValue } from "../core/describe.ts";
import { JobError, messageOf } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import {
  type Check,
  checkKeys,
  checkOptions,
  isFlag,
  isObject,
  isText,
  isWithin,
  type KeysOf,
} from "../core/object_keys.ts";
import type { CallOptions, ConnectOptions } from "./client.ts";

const PORT_MAX = 65_535;

const isSpan: Check = (value) => typeof value === "number" && value >= 0;
const orNull = (check: Check): Check => (value) => value === null || check(value);
const TEXT = ["text", isText] as const;
const TIMEOUT = ["a number of milliseconds from 0 up", isSpan] as const;

const CONNECT_KEYS: KeysOf<ConnectOptions> = {
  host: TEXT,
  port: [`a whole number from 1 to ${PORT_MAX}`, isWithin(1, PORT_MAX)],
  socket: ["a path, or null", orNull(isText)],
  token: TEXT,
  tokenFile: TEXT,
  daemonUser: TEXT,
  tls: ["an object of paths, or null", orNull(isObject)],
  timeoutMs: TIMEOUT,
};
const TLS_KEYS: KeysOf<NonNullable<ConnectOptions["tls"]>> = {
  ca: TEXT,
  cert: TEXT,
  key: TEXT,
  serverName: TEXT,
};
const CALL_KEYS: KeysOf<CallOptions> = {
  timeoutMs: TIMEOUT,
  signal: ["an AbortSignal", (value) => value instanceof AbortSignal],
};

/**
 * Check the options of a client: without a misspelled one it would call another daemon than its caller means.
 *
 * @throws JobError `invalid_argument` with the path of the option and the nearest known one
 */
export function checkConnectOptions(options: ConnectOptions): void {
  const failure = "Cannot make a client";
  const { tls } = checkOptions(options, CONNECT_KEYS, { failure });
  if (tls) checkKeys(tls, TLS_KEYS, { failure, noun: "option", prefix: "tls." });
}

/** Check the options of one call. @throws JobError `invalid_argument` with the path of the option */
export function checkCallOptions(options: CallOptions, method: string): void {
  checkOptions(options, CALL_KEYS, { failure: `Cannot call ${method}` });
}

/**
 * A request as the wire has it. Refuses what the encoding would leave out, such as a misspelled condition of a cancel, which
 * would then cancel more.
 *
 * @throws JobError `invalid_argument` with the path of the field and the nearest known one
 */
export function encodeRequest(desc: DescMessage, request: object, method: string): Uint8Array {
  const failure = `Cannot call ${method}`;
  checkMessage(desc, request, { failure, path: "" });
  try {
    return toBinary(desc, create(desc, request as Record<string, unknown>));
  } catch (error) {
    throw new JobError("invalid_argument", `${failure}: ${messageOf(error)}`, { cause: error });
  }
}

/** Where a value stands in a request. */
interface Place {
  readonly failure: string;
  /** Empty for the request itself. */
  readonly path: string;
}

function checkMessage(desc: DescMessage, value: unknown, { failure, path }: Place): void {
  if (isMessage(value, desc)) return;
  if (!isObject(value) || isMessage(value) || value instanceof Date) {
    const isTime = desc.typeName === "google.protobuf.Timestamp";
    const wanted = isTime ? "a Timestamp: timestampFromDate(date) makes it" : "an object of fields";
    throw wrongType({ failure, path }, value, wanted);
  }
  for (const [name, member] of Object.entries(value as object)) {
    const at = { failure, path: path === "" ? name : `${path}.${name}` };
    const field = desc.field[name];
    if (field) checkField(field, member, at);
    else if (!isOneof(desc, name)) throw unknownField(desc, name, at);
  }
}

function isOneof(desc: DescMessage, name: string): boolean {
  return name === "$typeName" || desc.oneofs.some(({ localName }) => localName === name);
}

function checkField(field: DescField, value: unknown, place: Place): void {
  if (value === undefined) return;
  if (field.fieldKind !== "list") return checkValue(field, value, place);
  if (!Array.isArray(value)) throw wrongType(place, value, "a list");
  for (const [index, item] of value.entries()) {
    checkValue(field, item, { ...place, path: `${place.path}[${index}]` });
  }
}

function checkValue(field: DescField, value: unknown, place: Place): void {
  if (field.message) checkMessage(field.message, value, place);
  else if (field.enum) checkEnum(field.enum, value, place);
  else if (field.scalar) checkScalar(field.scalar, value, place);
}

function checkEnum(desc: DescEnum, value: unknown, place: Place): void {
  if (typeof value === "number" && desc.value[value]) return;
  const example = `${desc.name}.${desc.values.at(-1)!.localName}`;
  throw wrongType(place, value, `a ${desc.name} such as ${example}`);
}

function checkScalar(type: ScalarType, value: unknown, place: Place): void {
  if (type === ScalarType.STRING && !isText(value)) throw wrongType(place, value, "text");
  if (type === ScalarType.BOOL && !isFlag(value)) throw wrongType(place, value, "true or false");
}

function wrongType({ failure, path }: Place, value: unknown, wanted: string): JobError {
  const found = path === ""
    ? `found ${quoteValue(value)}, wanted`
    : `"${path}" is ${quoteValue(value)}, not`;
  return new JobError("invalid_argument", `${failure}: ${found} ${wanted}`, { path });
}

function unknownField(desc: DescMessage, name: string, { failure, path }: Place): JobError {
  const names = desc.members.map(({ localName }) => localName);
  const near = nearest(name, names);
  return new JobError("invalid_argument", `${failure}: unknown field "${path}"`, {
    path,
    hint: near === null
      ? `Known fields: ${names.join(", ")}`
      : `Did you mean "${path.slice(0, -name.length)}${near}"?`,
  });
}
