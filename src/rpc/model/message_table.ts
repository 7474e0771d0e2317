import { CHOICES, MESSAGES } from "../gen/messages.ts";
import { snakeCase } from "../../core/text/snake_case.ts";

// The message model: one table, which is read as it is needed, for all forms of a message. To
// inspect the descriptors of all messages takes longer than everything else that a client does.

/** The types of scalars, and what is read if there is no value. */
const SCALARS = {
  s: ["text", ""],
  b: ["flag", false],
  i: ["int", 0],
  z: ["sint", 0],
  l: ["long", 0n],
  d: ["double", 0],
  y: ["bytes", new Uint8Array(0)],
  t: ["time", undefined],
  /** JSON text in a message, and any value in JSON. */
  j: ["json", ""],
} as const;

/** The type of a field's values. */
export type FieldKind = typeof SCALARS[keyof typeof SCALARS][0] | "choice" | "message";

/** A field of a message. */
export interface Field {
  /** Its name in code. */
  readonly name: string;
  readonly number: number;
  readonly kind: FieldKind;
  /** Name of its message or enumeration; empty for other values. */
  readonly type: string;
  readonly isOptional: boolean;
  readonly isList: boolean;
  /** Its name in JSON; null if another field has the same value there. */
  readonly json: string | null;
  /** The form of its values, if another field has them in the other form. */
  readonly form: "texts" | "json" | null;
  /** Its value if it has none, and need not have one; undefined if it is then absent. */
  readonly zero: unknown;
}

/** The fields of a type of messages. */
export interface MessageTable {
  readonly typeName: string;
  /** As in the contract. */
  readonly fields: readonly Field[];
  /** By number; in this order they are written. */
  readonly sorted: readonly Field[];
  readonly byNumber: readonly (Field | undefined)[];
  /** A message without any value, except for the lists. */
  readonly blank: Readonly<Record<string, unknown>>;
  readonly lists: readonly string[];
}

const tables = new Map<string, MessageTable>();

/** The table of a type, such as `job.v1.Job`. */
export function tableOf(typeName: string): MessageTable {
  let table = tables.get(typeName);
  if (table === undefined) tables.set(typeName, table = readTable(typeName));
  return table;
}

function readTable(typeName: string): MessageTable {
  const text = MESSAGES[typeName];
  if (text === undefined) throw new TypeError(`${typeName} is not a message of the contract`);
  const parts = text === "" ? [] : text.split(",").map((part) => part.split(" "));
  const names = new Set(parts.map(([name]) => name!));
  const fields = parts.map(([name, number, mark, json]): Field => {
    const [, type, end] = /^([\w.]+)([?*]?)$/.exec(mark!) as unknown as [string, string, string];
    const isScalar = Object.hasOwn(SCALARS, type);
    const [kind, zero] = isScalar
      ? SCALARS[type as keyof typeof SCALARS]
      : Object.hasOwn(CHOICES, type)
      ? ["choice", 0] as const
      : ["message", undefined] as const;
    const isTexts = names.has(`${name}Json`);
    const isJson = kind === "json" && names.has(name!.replace(/Json$/, ""));
    const isOptional = end === "?";
    return {
      name: name!,
      number: Number(number),
      kind,
      type: isScalar ? "" : type,
      isOptional,
      isList: end === "*",
      json: json === undefined ? snakeCase(name!) : json === "-" ? null : json,
      form: isTexts ? "texts" : isJson ? "json" : null,
      zero: isOptional ? undefined : zero,
    };
  });
  const byNumber: (Field | undefined)[] = [];
  for (const field of fields) byNumber[field.number] = field;
  const blank: Record<string, unknown> = { $typeName: typeName };
  for (const { name, isList, zero } of fields) {
    if (!isList && zero !== undefined) blank[name] = zero;
  }
  return {
    typeName,
    fields,
    sorted: fields.toSorted((one, other) => one.number - other.number),
    byNumber,
    blank,
    lists: fields.filter(({ isList }) => isList).map(({ name }) => name),
  };
}

/** A message without any value. */
export function blankMessage({ blank, lists }: MessageTable): Record<string, unknown> {
  const message: Record<string, unknown> = { ...blank };
  for (const list of lists) message[list] = [];
  return message;
}
