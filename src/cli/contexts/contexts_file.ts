import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { errorCode, isJobError, JobError, messageOf } from "../../core/errors.ts";
import { isObject } from "../../core/text/object_keys.ts";
import { didYouMean } from "../../core/text/nearest.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { type Clock, sleep } from "../../platform/clock.ts";
import { notWritten } from "../../platform/files/not_written.ts";
import { PRIVATE_FILE, PRIVATE_FOLDER } from "../../platform/files/private_files.ts";
import { type ReadFile, readRegularFile } from "../../platform/files/read_file.ts";
import { distrustError, findDistrust } from "../../platform/files/trusted_path.ts";
import { isWindows } from "../../platform/system/runtime.ts";
import { CONNECTION_OPTIONS } from "../parsing/options.ts";

/** Values of options of the connection by their names. */
export type ContextValues = Readonly<Record<string, string | true>>;

/** The saved daemons. */
export interface Contexts {
  /** The context that is used if nothing else names a daemon; may be null. */
  readonly current: string | null;
  readonly byName: ReadonlyMap<string, ContextValues>;
}

/** The options of a context. */
export const CONTEXT_OPTIONS = [
  "host",
  "port",
  "socket",
  "token",
  "token-file",
  "daemon-user",
  "tls",
  "tls-ca",
  "tls-cert",
  "tls-key",
] as const;

const FILE_BYTES_MAX = 256 * 1024;
const NAME = /^[A-Za-z0-9][\w.-]{0,63}$/;
const OTHERS = 0o077;
/** A draft older than this was left behind by a killed program. */
const DRAFT_MS_MAX = 3_000;
/** Time to wait for another program that writes. */
const DRAFT_WAIT_MS = 10;
const HEAD = "# Daemons that jobctl knows by name, written by: jobctl context\n";

/** Path of this user's contexts; null if the environment names no home. */
export function contextsPath(env: Readonly<Record<string, string | undefined>>): string | null {
  const folder = (isWindows() ? env.APPDATA : env.XDG_CONFIG_HOME) ?? "";
  // The base directory specification has relative ones ignored.
  if (isAbsolute(folder)) return join(folder, "jobctl", "contexts.toml");
  const home = env.HOME ?? "";
  return isAbsolute(home) ? join(home, ".config", "jobctl", "contexts.toml") : null;
}

/**
 * Read the contexts; none without a file.
 *
 * @throws JobError `permission_denied` if others can write or read the file, `invalid_config` if it
 * differs from the form of `jobctl context`
 */
export async function readContexts(path: string): Promise<Contexts> {
  if (!existsSync(path)) return { current: null, byName: new Map() };
  const action = `Cannot use the contexts in "${path}"`;
  const distrust = findDistrust(path, { isLinkAllowed: true });
  if (distrust !== null) {
    throw distrustError(action, distrust, distrust.remedy ?? "Use a file of your own");
  }
  const found = readFile(path, action);
  if ((found.mode & OTHERS) !== 0) {
    const mode = (found.mode & 0o777).toString(8).padStart(4, "0");
    throw new JobError(
      "permission_denied",
      `${action}: other users can read it (mode ${mode}), and it can have tokens`,
      { hint: `chmod 600 ${shellWord(path)}` },
    );
  }
  const { parsePlainToml } = await import("../../config/toml/plain_toml.ts");
  try {
    return contextsOf(parsePlainToml(found.bytes));
  } catch (error) {
    throw invalid(action, messageOf(error));
  }
}

function readFile(path: string, action: string): ReadFile {
  let found: ReadFile | null;
  try {
    found = readRegularFile(path, FILE_BYTES_MAX);
  } catch (error) {
    throw invalid(action, messageOf(error));
  }
  if (found === null) throw invalid(action, `it has more than ${FILE_BYTES_MAX} bytes`);
  return found;
}

function invalid(action: string, problem: string): JobError {
  return new JobError("invalid_config", `${action}: ${problem}`, {
    hint: "Correct the file, or delete it and add the contexts anew: jobctl context add --help",
  });
}

function contextsOf(file: Readonly<Record<string, unknown>>): Contexts {
  const { current = null, contexts = {}, ...others } = file;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new Error(`"${makeVisible(unknown)}" is not a key`);
  if (current !== null && typeof current !== "string") throw new Error("current is not a text");
  if (!isObject(contexts)) throw new Error("contexts is not a table");
  const byName = new Map(
    Object.entries(contexts).map(([name, table]) => [name, valuesOf(name, table)]),
  );
  return { current, byName };
}

function valuesOf(name: string, table: unknown): ContextValues {
  const title = `context "${makeVisible(name)}"`;
  if (!isObject(table)) throw new Error(`${title} is not a table`);
  if (!NAME.test(name)) throw new Error(`${title} has a name that is not one`);
  const values: Record<string, string | true> = {};
  for (const [key, value] of Object.entries(table)) {
    const option = key.replaceAll("_", "-");
    if (!CONTEXT_OPTIONS.some((known) => known === option)) {
      throw new Error(`${title} has the unknown key "${makeVisible(key)}"`);
    }
    if (CONNECTION_OPTIONS[option]!.isFlag) {
      if (typeof value !== "boolean") throw new Error(`${key} of ${title} is not true or false`);
      if (value) values[option] = true;
    } else if (typeof value === "string" || typeof value === "number") {
      values[option] = String(value);
    } else throw new Error(`${key} of ${title} is not a text`);
  }
  return values;
}

/**
 * Change the contexts: they are read, changed and written as a whole, by one program at a time. A
 * new file gets mode 0600; an existing one keeps its mode, even behind a link. The file is always
 * complete.
 *
 * @param change if it throws, the file stays unchanged
 * @returns the new contexts
 * @throws JobError like {@link readContexts}, `conflict` while another program changes them, others
 * if the file cannot be written
 */
export async function changeContexts(
  path: string,
  clock: Clock,
  change: (contexts: Contexts) => Contexts,
): Promise<Contexts> {
  const hasFile = existsSync(path);
  const file = hasFile ? realpathSync(path) : path;
  const mode = hasFile ? statSync(file).mode & 0o777 : PRIVATE_FILE;
  const draft = `${file}.new`;
  let descriptor: number;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: PRIVATE_FOLDER });
    descriptor = await openDraft(draft, mode, clock);
  } catch (error) {
    throw isJobError(error) ? error : notWritten(path, error);
  }
  try {
    const changed = change(await readContexts(path));
    writeFileSync(descriptor, await textOf(changed));
    renameSync(draft, file);
    return changed;
  } catch (error) {
    rmSync(draft, { force: true });
    throw isJobError(error) ? error : notWritten(path, error);
  } finally {
    closeSync(descriptor);
  }
}

/** Create the draft, which only one program can do at a time. Returns its descriptor. */
async function openDraft(draft: string, mode: number, clock: Clock): Promise<number> {
  for (;;) {
    try {
      return openSync(draft, "wx", mode);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
    const found = lstatSync(draft, { throwIfNoEntry: false });
    if (found === undefined) continue;
    // A killed program has left it behind: writing takes milliseconds.
    if (Math.abs(clock.now().wallMs - found.mtimeMs) > DRAFT_MS_MAX) rmSync(draft, { force: true });
    else await sleep(clock, DRAFT_WAIT_MS);
  }
}

// The parser is loaded only here, for an existing file: most verbs need no contexts.
async function textOf({ current, byName }: Contexts): Promise<string> {
  const { writePlainToml } = await import("../../config/toml/plain_toml.ts");
  const contexts = Object.fromEntries(
    [...byName].map(([name, values]) => [
      name,
      Object.fromEntries(
        Object.entries(values).map(([option, value]) => [option.replaceAll("-", "_"), value]),
      ),
    ]),
  );
  const values = { ...(current === null ? {} : { current }), contexts };
  return `${HEAD}${writePlainToml(values).trimEnd()}\n`;
}

/** True if a context can have this name. */
export function isContextName(name: string): boolean {
  return NAME.test(name);
}

/** The values of a context. @throws JobError `not_found` with the nearest name */
export function contextNamed({ byName }: Contexts, name: string): ContextValues {
  const found = byName.get(name);
  if (found !== undefined) return found;
  const names = [...byName.keys()];
  throw new JobError("not_found", `Cannot use context "${makeVisible(name)}": no such context`, {
    hint: didYouMean(name, names) ??
      (names.length === 0
        ? "There are none yet: jobctl context add --help"
        : `Contexts: ${names.join(", ")}`),
  });
}
