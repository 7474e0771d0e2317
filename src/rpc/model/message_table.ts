import { CHOICES, MESSAGES } from "../gen/messages.ts";

// The message model: one table, read on demand, for all forms of a message. Inspecting the
// descriptors of all messages takes longer than everything else that a client does.

/** The type of a field's values; `json` is JSON text in a message, and any value in JSON. */
export type FieldKind =
  | "text"
  | "flag"
  | "int"
  | "sint"
  | "long"
  | "double"
  | "bytes"
  | "time"
  | "json"
  | "choice"
  | "message";

/** The one-letter types in the generated texts, with their defaults. */
const SCALARS: Readonly<Record<string, readonly [FieldKind, unknown]>> = {
  s: ["text", ""],
  b: ["flag", false],
  i: ["int", 0],
  z: ["sint", 0],
  l: ["long", 0n],
  d: ["double", 0],
  y: ["bytes", new Uint8Array(0)],
  t: ["time", undefined],
  j: ["json", ""],
};

type FieldText = readonly [name: string, number: string, type: string, json: string];

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
  /** Its name in JSON; null if another field carries the same value. */
  readonly json: string | null;
  /** Set if two fields hold the same values: the form of this one. */
  readonly form: "texts" | "json" | null;
  /** Its default; undefined if the field is then absent. */
  readonly zero: unknown;
}

/** The fields of a type of messages. */
export interface MessageTable {
  readonly typeName: string;
  /** In the contract's order. */
  readonly fields: readonly Field[];
  /** Sorted by number, in the order of writing. */
  readonly sorted: readonly Field[];
  readonly byNumber: readonly (Field | undefined)[];
  /** An empty message, without its lists. */
  readonly blank: Readonly<Record<string, unknown>>;
  readonly lists: readonly string[];
}

/** The name of a type without its package, such as `Job`. */
export function shortName(typeName: string): string {
  return typeName.slice(typeName.lastIndexOf(".") + 1);
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
  const parts = (text === "" ? [] : text.split(",")).map((part) =>
    part.split(" ") as unknown as FieldText
  );
  const names = new Set(parts.map(([name]) => name));
  const fields = parts.map(([name, number, mark, json]): Field => {
    const isOptional = mark.endsWith("?");
    const isList = mark.endsWith("*");
    const type = isOptional || isList ? mark.slice(0, -1) : mark;
    const scalar = SCALARS[type];
    const [kind, zero] = scalar ?? (CHOICES[type] ? ["choice", 0] : ["message", undefined]);
    const isJson = kind === "json" && names.has(name.slice(0, -"Json".length));
    return {
      name,
      number: Number(number),
      kind,
      type: scalar ? "" : type,
      isOptional,
      isList,
      json: json === "-" ? null : json,
      form: isJson ? "json" : names.has(`${name}Json`) ? "texts" : null,
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
