import type { ConfigProblem, Place } from "../../core/config_problem.ts";
import { isObject } from "../../core/text/object_keys.ts";
import { SECRET_LENGTH_MIN } from "../../core/text/secret_forms.ts";
import { maskUrl } from "../../core/settings/store_address.ts";
import type { Environment } from "./expand.ts";

/** Path of a value in a TOML file: table keys and array indices. */
export type KeyPath = readonly (string | number)[];

/** The source of settings: the defaults, a file, the environment or the command line. */
export interface Source {
  /** Directory that relative paths are resolved against, absolute. */
  readonly baseDir: string;
  /** Name of the variable or flag; null for files. */
  readonly label: string | null;
  /** The variables that references read. */
  readonly env: Environment;
  /** True if values are text, to be read as numbers, booleans and lists. */
  readonly isText: boolean;
  /** The place of the key or the value at `path`; null outside of files. */
  placeOf(path: KeyPath, part: "key" | "value"): Place | null;
  /** The text before `${VAR}` was expanded: messages must not show the value of a variable. */
  rawOf(path: KeyPath): string | undefined;
}

/** The places of settings that are not in a file. */
export const NO_PLACES: Pick<Source, "placeOf" | "rawOf"> = {
  placeOf: () => null,
  rawOf: () => undefined,
};

/** One value with where it came from. */
export interface Field {
  readonly value: unknown;
  readonly path: KeyPath;
  readonly source: Source;
}

/** Collects problems, to report all at once. Methods return undefined, as readers without value. */
export class Report {
  readonly problems: ConfigProblem[] = [];
  /** Problems that stop nothing. */
  readonly warnings: ConfigProblem[] = [];
  readonly secrets = new Set<string>();
  /** Keys present under another name: unknown keys were probably meant for them. */
  readonly #misspelled = new Set<string>();

  /** A problem of the value of `field`. */
  value(field: Field, message: string, hint?: string): undefined {
    this.problems.push(problemOf(field, "value", message, hint));
  }

  /** A problem of the key of `field`. */
  key(field: Field, message: string, hint?: string): undefined {
    this.problems.push(problemOf(field, "key", message, hint));
  }

  /** An unknown key, probably meant for another one. */
  unknown(field: Field, hint: string | undefined, meant: KeyPath | null): undefined {
    if (meant !== null) this.#misspelled.add(formatPath(meant));
    this.key(field, "unknown key", hint);
  }

  /** A key is missing, as `field` shows. Nothing is reported if it has another name there. */
  missing(field: Field, key: KeyPath, message: string, hint?: string): undefined {
    if (!this.isMisspelled(key)) this.key(field, message, hint);
  }

  /** True if an unknown key was probably meant for this one. */
  isMisspelled(key: KeyPath): boolean {
    return this.#misspelled.has(formatPath(key));
  }

  warn(field: Field, message: string, hint?: string): undefined {
    this.warnings.push(problemOf(field, "value", message, hint));
  }

  /** A problem that stops nothing, but fails `jobctl check` and a reload. */
  mistake(field: Field, message: string, hint?: string): undefined {
    this.warnings.push({ ...problemOf(field, "value", message, hint), isMistake: true });
  }

  /** Record that the value of `field`, or part of it, is a secret. */
  secret(field: Field, text: string): void {
    if (text === "") return;
    this.secrets.add(text);
    if (text.length >= SECRET_LENGTH_MIN) return;
    const found = `the secret is shorter than ${SECRET_LENGTH_MIN} characters`;
    this.warn(field, `${found}, so output does not mask it`, "Use a longer one");
  }

  addAll({ problems, warnings, secrets }: Report): void {
    this.problems.push(...problems);
    this.warnings.push(...warnings);
    for (const secret of secrets) this.secrets.add(secret);
  }

  mismatch(field: Field, wanted: string, hint?: string): undefined {
    this.value(field, `found ${showValue(field)}, wanted ${wanted}`, hint);
  }
}

function problemOf(
  field: Field,
  part: "key" | "value",
  message: string,
  hint: string | undefined,
): ConfigProblem {
  const { path, source } = field;
  const isOfJob = path[0] === "jobs" && path.length >= 2;
  return {
    place: source.placeOf(path, part),
    path: formatPath(path),
    message: source.label === null ? message : `${message}, in ${source.label}`,
    ...(hint === undefined ? {} : { hint }),
    job: isOfJob ? String(path[1]) : null,
  };
}

/** A path as it is written in TOML, with array indices in brackets. */
export function formatPath(path: KeyPath): string {
  return path.map((part, index) => {
    if (typeof part === "number") return `[${part}]`;
    const text = /^[\w-]+$/.test(part) ? part : JSON.stringify(part.slice(0, 60));
    return index === 0 ? text : `.${text}`;
  }).join("");
}

/** The field at `key` below `field`. */
export function childOf(field: Field, key: string | number, value: unknown): Field {
  return { value, path: [...field.path, key], source: field.source };
}

/** True if text may be read as a number, a boolean or a list: it came from a variable or a flag. */
export function isText(field: Field): boolean {
  return field.source.isText || field.source.rawOf(field.path) !== undefined;
}

/** A value for a message: short, on one line, without values of variables and passwords of URLs. */
function showValue(field: Field): string {
  const value = field.source.rawOf(field.path) ?? field.value;
  if (typeof value === "string") {
    const text = maskUrl(value);
    return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
  }
  if (Array.isArray(value)) return "a list";
  return isObject(value) ? "a table" : String(value);
}
