import { nearest } from "../../core/text/nearest.ts";
import { isObject } from "../../core/text/object_keys.ts";
import type { Reader } from "./readers.ts";
import type { Field, Report } from "./source.ts";

/** Unknown keys that get a hint. A file with more of them is not a configuration. */
const HINTS_MAX = 1000;

/** Most keys in a hint: more than any table has. */
const KEYS_SHOWN_MAX = 200;

/** One key of the configuration. */
export interface Key<T> {
  readonly reader: Reader<T>;
  /** The meaning of the key, in one sentence. */
  readonly doc: string;
  /** The default as written; undefined for none. */
  readonly initial: unknown;
}

/** Keys by dotted path. */
// deno-lint-ignore no-explicit-any
export type Keys = Readonly<Record<string, Key<any>>>;

/** The values that the keys of a schema are read as. */
export type Values<K extends Keys> = {
  readonly [P in keyof K]: K[P] extends Key<infer T> ? T : never;
};

/** Keys and tables derived from them. */
export interface Schema<K extends Keys> {
  readonly keys: K;
  /** Tables that may be written as the value of one of their keys: `retry = 3` for `retry.max`. */
  readonly shorthands: Readonly<Record<string, string>>;
  /** Names of a table's keys, by the table's dotted path; "" is the root. */
  readonly children: ReadonlyMap<string, readonly string[]>;
  /**
   * The meaning of an unknown key that other programs have, by its dotted path: the dotted path of
   * a key or table of this schema, or a sentence with the remedy.
   */
  readonly meant: ReadonlyMap<string, string>;
}

/** A key with its meaning, and its default as written. */
export function key<T>(reader: Reader<T>, doc: string, initial?: unknown): Key<T> {
  return { reader, doc, initial };
}

/** Inputs of {@link schemaOf} beside the keys; see {@link Schema}. */
export interface SchemaOptions {
  readonly shorthands?: Readonly<Record<string, string>>;
  /** Tables at the root whose keys are in a separate schema. */
  readonly tables?: readonly string[];
  readonly meant?: Readonly<Record<string, string>>;
}

/** Derive the tables of `keys`. */
export function schemaOf<K extends Keys>(
  keys: K,
  { shorthands = {}, tables = [], meant = {} }: SchemaOptions = {},
): Schema<K> {
  const children = new Map<string, string[]>([["", [...tables]]]);
  for (const path of Object.keys(keys)) {
    const parts = path.split(".");
    parts.forEach((part, index) => {
      const parent = parts.slice(0, index).join(".");
      const names = children.get(parent) ?? [];
      if (!names.includes(part)) names.push(part);
      children.set(parent, names);
    });
  }
  return { keys, shorthands, children, meant: new Map(Object.entries(meant)) };
}

/** The known keys below `root`, by dotted path; unknown ones and wrong tables are reported. */
export function collectFields(
  schema: Schema<Keys>,
  root: Field,
  report: Report,
): Map<string, Field> {
  const { keys, shorthands, children } = schema;
  const fields = new Map<string, Field>();
  const walk = (table: Readonly<Record<string, unknown>>, path: readonly string[]) => {
    const parent = path.join(".");
    const known = children.get(parent) ?? [];
    for (const [name, value] of Object.entries(table)) {
      const dotted = parent === "" ? name : `${parent}.${name}`;
      const field = { value, path: [...root.path, ...path, name], source: root.source };
      // A quoted key with a dot must not look like a path.
      if (!known.includes(name)) {
        reportUnknown(schema, [...path, name], field, report);
      } else if (isObject(value) && children.has(dotted)) {
        walk(value, [...path, name]);
      } else if (Object.hasOwn(shorthands, dotted)) {
        fields.set(shorthands[dotted]!, field);
      } else if (!Object.hasOwn(keys, dotted)) {
        report.mismatch(field, "a table", tableHint(name, children.get(dotted) ?? []));
      } else {
        fields.set(dotted, field);
      }
    }
  };
  walk(root.value as Readonly<Record<string, unknown>>, []);
  return fields;
}

/** Keys of a table that a hint shows. */
const TABLE_KEYS_MAX = 3;

function tableHint(name: string, keys: readonly string[]): string {
  const shown = keys.slice(0, TABLE_KEYS_MAX).map((each) => `${each} = …`).join(", ");
  return `Write ${name} = { ${shown}${keys.length > TABLE_KEYS_MAX ? ", …" : ""} }`;
}

/** Read each of `fields`, omitting unreadable ones. */
export function readFields<K extends Keys>(
  schema: Schema<K>,
  fields: ReadonlyMap<string, Field>,
  report: Report,
): Partial<Values<K>> {
  const values: Record<string, unknown> = {};
  for (const [path, field] of fields) {
    const value = schema.keys[path]!.reader.read(field, report);
    if (value !== undefined) values[path] = value;
  }
  return values as Partial<Values<K>>;
}

function reportUnknown(
  schema: Schema<Keys>,
  path: readonly string[],
  field: Field,
  report: Report,
): void {
  if (report.problems.length > HINTS_MAX) {
    report.key(field, "unknown key");
    return;
  }
  const name = path.at(-1)!;
  const parent = path.slice(0, -1).join(".");
  const siblings = schema.children.get(parent) ?? [];
  let near = schema.meant.get(path.join(".")) ?? null;
  // A sentence, not a key.
  if (near?.includes(" ")) return report.key(field, "unknown key", near);
  if (near === null) {
    near = nearest(name, siblings);
    if (near !== null && parent !== "") near = `${parent}.${near}`;
  }
  // The key exists in another table.
  near ??= Object.keys(schema.keys).find((known) => known.split(".").at(-1) === name) ?? null;
  const prefix = field.path.slice(0, field.path.length - path.length).join(".");
  const full = prefix === "" ? near : `${prefix}.${near}`;
  if (near === null) {
    const known = siblings.slice(0, KEYS_SHOWN_MAX).join(", ");
    return void report.unknown(field, `Known keys here: ${known}`, null);
  }
  const base = field.path.slice(0, field.path.length - path.length);
  report.unknown(field, `Did you mean "${full}"?`, [...base, ...near.split(".")]);
}
