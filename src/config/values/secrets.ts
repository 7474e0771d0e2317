import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { readAssignments } from "../../core/text/environment_text.ts";
import { errorCode, isJobError } from "../../core/errors.ts";
import { isPingKey, PING_KEY_WANTED } from "../../core/job/external.ts";
import { nearest } from "../../core/text/nearest.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { readRegularFile } from "../../platform/files/read_file.ts";
import { asOwner } from "../../platform/files/private_files.ts";
import { trustProblem } from "../../platform/files/trusted_path.ts";
import { isObject } from "../../core/text/object_keys.ts";
import { type Reader, TEXT } from "./readers.ts";
import { childOf, type Field, type Report } from "./source.ts";

const SECRET_BYTES_MAX = 65_536;

const reference = (key: string) => ({
  type: "object",
  properties: { [key]: TEXT },
  required: [key],
  additionalProperties: false,
});
/** The keys of a reference to a secret. */
const REFERENCES = ["file", "env", "credential"] as const;
const SCHEMA = { anyOf: [TEXT, ...REFERENCES.map(reference)] };
const WANTED = 'a string, { file = "PATH" }, { env = "NAME" } or { credential = "NAME" }';

/**
 * A text that may be a secret: given directly, or read from a file or a variable.
 *
 * The newline at the end of a file is dropped. No message shows the text. A file that everybody may
 * read is a warning.
 */
export const SECRET: Reader<string> = {
  schema: SCHEMA,
  wanted: WANTED,
  read(field, report) {
    const text = readText(field, report);
    if (text !== undefined) report.secret(field, text);
    return text;
  },
};

/** The secret in the address of a job's pings. */
export const PING_KEY: Reader<string> = {
  ...SECRET,
  read(field, report) {
    const text = SECRET.read(field, report);
    if (text === undefined || isPingKey(text)) return text;
    return report.value(
      field,
      `found ${text.length} characters, wanted ${PING_KEY_WANTED}`,
      "Make one: openssl rand -hex 20, or cat /proc/sys/kernel/random/uuid",
    );
  },
};

function readText(field: Field, report: Report): string | undefined {
  const text = readSecret(field, report);
  if (text?.includes("\0")) return report.value(field, "found a NUL character, wanted text");
  return text;
}

/** Variables that systems set: their values are not secrets. */
const PLAIN_VARIABLES =
  /^(?:HOME|USER|LOGNAME|SHELL|PATH|PWD|TMPDIR|TZ|TERM|HOSTNAME|EDITOR|LANG|LANGUAGE|LC_\w+|XDG_\w+)$/;

/** Values filled in by variables in a text that is not a reference; may be empty. */
function filledIn({ path, source }: Field): string[] {
  const raw = source.rawOf(path);
  if (raw === undefined) return [];
  return [...raw.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)/g)].flatMap(([, name]) =>
    PLAIN_VARIABLES.test(name!) || !Object.hasOwn(source.env, name!) ? [] : source.env[name!] ?? []
  );
}

/** Variables and their secrets: values given by reference or filled in by `${VAR}`. */
export interface EnvironmentValues {
  readonly values: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
}

/** The names that a table of texts may have, and the meaning of its texts. */
interface NamedTexts {
  /** The names, as `a table of variables`. */
  readonly wanted: string;
  /** The problem of a name; null for none. */
  nameProblem(name: string): string | null;
  /** True if the text of this name is a secret, although it is written directly. */
  readonly isSecret?: (name: string) => boolean;
}

/**
 * A table of texts, each written like a {@link SECRET}. Text written directly in the file is not a
 * secret; a value filled in by `${VAR}` is one, unless it comes from a variable such as HOME.
 */
export function namedTexts(
  { wanted: names, nameProblem, isSecret = () => false }: NamedTexts,
): Reader<EnvironmentValues> {
  const wanted = `${names}, each ${WANTED}`;
  return {
    schema: { type: "object", additionalProperties: SCHEMA },
    wanted,
    read(field, report) {
      if (!isObject(field.value)) return report.value(field, `found no table, wanted ${wanted}`);
      const read: Record<string, string> = {};
      const secrets: string[] = [];
      let isComplete = true;
      for (const [name, value] of Object.entries(field.value)) {
        const child = childOf(field, name, value);
        const problem = nameProblem(name);
        if (problem !== null) report.key(child, problem);
        const text = problem === null ? readText(child, report) : undefined;
        if (text === undefined) {
          isComplete = false;
          continue;
        }
        read[name] = text;
        for (const secret of isObject(value) || isSecret(name) ? [text] : filledIn(child)) {
          report.secret(child, secret);
          secrets.push(secret);
        }
      }
      return isComplete ? { values: read, secrets } : undefined;
    },
  };
}

/** A table of environment variables. */
export const ENVIRONMENT: Reader<EnvironmentValues> = namedTexts({
  wanted: "a table of variables",
  nameProblem: (name) =>
    /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
      ? null
      : "found a name that no environment variable can have",
});

const NOTHING: EnvironmentValues = { values: {}, secrets: [] };

/** A file of variables, like systemd's `EnvironmentFile=`: its path, after `-` if optional. */
export const ENVIRONMENT_FILE: Reader<EnvironmentValues> = {
  schema: TEXT,
  wanted: 'the path of a file of variables, with "-" before it if it need not exist',
  read(field, report) {
    if (typeof field.value !== "string") return report.mismatch(field, this.wanted);
    const path = field.value.replace(/^-/, "");
    if (path === "") return report.mismatch(field, this.wanted);
    const isOptional = path !== field.value;
    if (isOptional && !existsSync(resolve(field.source.baseDir, path))) return NOTHING;
    const text = readSecretFile(field, path, report);
    if (text === undefined) return undefined;
    try {
      const values = readAssignments(text);
      const secrets = Object.entries(values).filter(([name]) => !PLAIN_VARIABLES.test(name))
        .map(([, value]) => value);
      for (const secret of secrets) report.secret(field, secret);
      return { values, secrets };
    } catch (error) {
      if (!isJobError(error)) throw error;
      return report.value(field, `${path}: ${error.message}`, error.hint);
    }
  },
};

function readSecret(field: Field, report: Report): string | undefined {
  const { value } = field;
  if (typeof value === "string") return value;
  if (!isObject(value)) {
    const isPlain = typeof value === "number" || typeof value === "boolean";
    const found = `found a ${Array.isArray(value) ? "list" : typeof value}`;
    return report.value(field, `${found}, wanted ${WANTED}`, isPlain ? "Quote it" : undefined);
  }
  const keys = Object.keys(value);
  const [key] = keys;
  const type = REFERENCES.find((one) => one === key);
  if (keys.length !== 1 || type === undefined) {
    const near = keys.map((name) => nearest(name, REFERENCES)).find((name) => name !== null);
    const found = keys.length === 0 ? "an empty table" : `a table of ${keys.map(quote).join(", ")}`;
    const hint = near === undefined || keys.length !== 1 ? undefined : `Did you mean "${near}"?`;
    return report.value(field, `found ${found}, wanted ${WANTED}`, hint);
  }
  const reference = childOf(field, type, value[type]);
  if (typeof reference.value !== "string" || reference.value === "") {
    return report.mismatch(reference, REFERENCE_WANTED[type]);
  }
  return READERS[type](reference, reference.value, report);
}

const REFERENCE_WANTED = {
  file: "a path",
  env: "the name of a variable",
  credential: "the name of a credential",
} as const;

const READERS = { file: readSecretFile, env: readVariable, credential: readCredential };

/** Folders in which systemd looks for a credential without a path, in this order. */
const CREDENTIAL_STORES = ["/etc/credstore", "/run/credstore", "/usr/lib/credstore"];

/**
 * The text of a systemd credential: this service's or, outside of one, from the folders of all
 * services' credentials.
 */
function readCredential(field: Field, name: string, report: Report): string | undefined {
  if (!/^[\w.:@-]{1,255}$/.test(name) || /^\.\.?$/.test(name)) {
    return report.value(field, `found ${quote(name)}, wanted the name of a credential`);
  }
  const own = field.source.env["CREDENTIALS_DIRECTORY"];
  const folders = own === undefined || own === "" ? CREDENTIAL_STORES : [own];
  const file = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (file !== undefined) return readSecretFile(field, file, report);
  return report.value(
    field,
    `there is no credential ${quote(name)} in ${folders.join(", ")}`,
    own === undefined
      ? `Write it to ${CREDENTIAL_STORES[0]}/${name}, readable for root only`
      : `Add LoadCredential=${name}:PATH to the unit, and restart it`,
  );
}

function readVariable(field: Field, name: string, report: Report): string | undefined {
  const value = Object.hasOwn(field.source.env, name) ? field.source.env[name] : undefined;
  if (value !== undefined) return value;
  return report.value(field, `the variable ${quote(name)} is not set`, "Set it before the start");
}

/** The text of a secret file, without its last newline; undefined if refused, after a report. */
function readSecretFile(field: Field, path: string, report: Report): string | undefined {
  const file = resolve(field.source.baseDir, path);
  if (!isTrusted(field, file, report)) return undefined;
  try {
    const found = readRegularFile(file, SECRET_BYTES_MAX);
    if (found === null) {
      return report.value(field, `the secret file "${file}" has more than 64 KiB`);
    }
    if ((found.mode & 0o004) !== 0) {
      report.warn(
        field,
        `everybody may read the secret file "${file}"`,
        asOwner(`chmod o-rwx ${shellWord(file)}`, file),
      );
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(found.bytes).replace(/\r?\n$/, "");
  } catch (error) {
    return report.value(field, `cannot read the secret file "${file}": ${reasonOf(error)}`);
  }
}

/** True if no other user can change the file that a value names, or only with a warning. */
export function isTrusted(field: Field, file: string, report: Report): boolean {
  const problem = trustProblem(file);
  if (problem === null) return true;
  const { message, hint, isFatal } = problem;
  if (isFatal) report.value(field, message, hint);
  else report.warn(field, message, hint);
  return !isFatal;
}

/** The reason why a file cannot be read, in words, without its content. */
export function reasonOf(error: unknown): string {
  const code = errorCode(error);
  switch (code) {
    case "ENOENT":
      return "no such file";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "EISDIR":
      return "it is a directory";
    case "ENOTREG":
      return "it is not a regular file";
    case "ENOTDIR":
      return "a part of the path is not a directory";
    case "ELOOP":
      return "too many symbolic links";
    default:
      return code?.startsWith("E") && !code.includes("ENCODING") ? code : "it is not UTF-8 text";
  }
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}
