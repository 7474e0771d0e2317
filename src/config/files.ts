import { orElse } from "../core/or_else.ts";
import { readdirSync, statSync } from "node:fs";
import { dirname, join, parse, resolve, sep } from "node:path";
import { errorCode } from "../core/errors.ts";
import type { ConfigProblem } from "../core/config_problem.ts";
import { readRegularFile } from "../platform/files/read_file.ts";
import { type TrustOptions, trustProblem } from "../platform/files/trusted_path.ts";
import { type Environment, expandVariables } from "./values/expand.ts";
import { parseToml } from "./toml/parse_toml.ts";
import { problemAt } from "./values/problems.ts";
import { reasonOf } from "./values/secrets.ts";
import { type Field, formatPath, type KeyPath, type Report, type Source } from "./values/source.ts";

/** Largest configuration file, in bytes. */
export const FILE_BYTES_MAX = 4 * 1_048_576;
/** Most files that the patterns of `include` may name. */
const INCLUDED_MAX = 1000;

/** A file that was read: its tables with variables expanded, and where they came from. */
export interface ConfigFile {
  readonly source: Source;
  readonly tree: Readonly<Record<string, unknown>>;
  /** Tables of jobs and channels with a mistake of syntax, such as `jobs.report`. */
  readonly incomplete: ReadonlySet<string>;
}

/** Options of {@link readConfigFile}. */
export interface ReadFileOptions {
  readonly cwd: string;
  readonly env: Environment;
  readonly isIncluded?: boolean;
  /** Also read an included file with mistakes of syntax, as far as possible. */
  readonly isCheck?: boolean;
}

/**
 * Read, parse and expand one file; null after problems that leave nothing to read. Problems of an
 * included file do not stop the others. A main file with syntax errors is read further, so that it
 * is refused with all of its problems.
 *
 * @param file the path as places show it
 */
export function readConfigFile(
  file: string,
  options: ReadFileOptions,
  report: Report,
): ConfigFile | null {
  const absolute = resolve(options.cwd, file);
  if (!isTrusted(file, absolute, report)) return null;
  const refuse = (problem: ConfigProblem) => {
    report.problems.push(options.isIncluded ? { ...problem, unread: file } : problem);
  };
  const bytes = readBytes(file, absolute, refuse);
  if (bytes === null) return null;
  const whole = parseToml(bytes, file);
  if (whole.tree === null) {
    for (const problem of whole.problems) refuse(problem);
    if (options.isIncluded && !options.isCheck) return null;
  }
  const parsed = whole.rest ?? whole;
  if (parsed.tree === null) return null;
  const incomplete = whole.rest?.incomplete ?? new Set();
  report.problems.push(...parsed.problems);
  const raw = new Map<string, string>();
  const source: Source = {
    baseDir: dirname(absolute),
    label: null,
    env: options.env,
    isText: false,
    placeOf: parsed.placeOf,
    rawOf: (path) => raw.size === 0 ? undefined : raw.get(JSON.stringify(path)),
  };
  const expand = (values: Record<string | number, unknown>, path: KeyPath) => {
    for (const name of Object.keys(values)) {
      const value = values[name];
      const key = Array.isArray(values) ? Number(name) : name;
      if (typeof value === "string") {
        if (!value.includes("${")) continue;
        values[key] = expandField({ value, path: [...path, key], source }, raw, report);
      } else if (typeof value === "object" && value !== null) {
        expand(value as Record<string, unknown>, [...path, key]);
      }
    }
  };
  if (parsed.hasVariables) expand(parsed.tree, []);
  return { source, tree: parsed.tree, incomplete };
}

function expandField(field: Field, raw: Map<string, string>, report: Report): string {
  const text = field.value as string;
  const { path, source } = field;
  // Shell lines have their own variables.
  const isCode = path[0] === "jobs" &&
    (path[2] === "run" || path[2] === "command" || (path[2] === "stdin" && path[3] === "text"));
  if (isCode) return text;
  raw.set(JSON.stringify(path), text);
  const expansion = expandVariables(text, source.env);
  if (expansion.error === null) return expansion.text;
  report.value(field, expansion.error, expansion.hint);
  return text;
}

/** True if the file may be read. Root refuses what other users can change; others get a warning. */
function isTrusted(file: string, absolute: string, report: Report): boolean {
  const problem = trustProblem(absolute);
  if (problem === null) return true;
  const { message, hint, isFatal } = problem;
  const found = problemAt({ file, line: 1, column: 1 }, "", message, hint);
  (isFatal ? report.problems : report.warnings).push(found);
  return !isFatal;
}

function readBytes(
  file: string,
  absolute: string,
  tell: (problem: ConfigProblem) => void,
): Uint8Array | null {
  const refuse = (message: string, hint?: string) => {
    tell(problemAt({ file, line: 1, column: 1 }, "", message, hint));
    return null;
  };
  try {
    const found = readRegularFile(absolute, FILE_BYTES_MAX);
    return found?.bytes ?? refuse("the file is larger than 4 MiB", "Split it with include");
  } catch (error) {
    const reason = reasonOf(error);
    switch (errorCode(error)) {
      case "EISDIR":
        return refuse(`${reason}, wanted a TOML file`, `Try ${join(file, "config.toml")}`);
      case "ENOTREG":
        return refuse(
          reason,
          "To read the output of a command, use --config <(COMMAND), or /dev/stdin",
        );
      case "ENOENT":
        return refuse(`cannot read it: ${reason}`, "`jobctl init` writes one");
      default:
        return refuse(`cannot read it: ${reason}`);
    }
  }
}

/**
 * The files that the `include` patterns of a file name: by pattern, then by name, each once.
 *
 * `*` and `?` match parts of one name, but no leading dot. A pattern without them must name a file.
 */
export function includedFiles(field: Field, file: string, report: Report): string[] {
  const found = new Set<string>();
  const patterns = Array.isArray(field.value) ? field.value : [];
  patterns.forEach((pattern, index) => {
    if (typeof pattern !== "string" || pattern === "") return;
    const at: Field = { value: pattern, path: [...field.path, index], source: field.source };
    if (pattern.includes("**")) {
      report.mismatch(at, "a pattern without **");
      return;
    }
    const { root } = parse(pattern);
    const start = root === "" ? dirname(file) : root;
    const rest = pattern.slice(root.length);
    const { matches, folders } = expandPattern(start, rest, root || field.source.baseDir);
    if (matches.length === 0 && !/[*?]/.test(pattern)) {
      report.value(at, `cannot read ${formatPath([join(start, rest)])}: no such file`);
    }
    if (!areTrusted(folders, { at, hasMatches: matches.length > 0 }, report)) return;
    for (const match of matches) found.add(match);
  });
  if (found.size > INCLUDED_MAX) {
    report.value(field, `found ${found.size} files, wanted ${INCLUDED_MAX} at most`);
  }
  return [...found].slice(0, INCLUDED_MAX);
}

/**
 * True if no other user can add a file to the folders that a pattern searches. Empty folders are
 * checked too: otherwise a file of another user would make a later start or reload fail.
 */
function areTrusted(
  folders: ReadonlySet<string>,
  { at, hasMatches }: { readonly at: Field; readonly hasMatches: boolean },
  report: Report,
): boolean {
  const looked: TrustOptions["looked"] = new Map();
  for (const folder of folders) {
    const problem = trustProblem(folder, { looked });
    if (problem === null) continue;
    const { message, hint, isFatal } = problem;
    if (isFatal) report.value(at, message, hint);
    // The warning about each file names the folder.
    else if (!hasMatches) report.warn(at, message, hint);
    return !isFatal;
  }
  return true;
}

// `shown` paths grow from `start` as messages show it; the disk is read below `baseDir`.
function expandPattern(
  start: string,
  pattern: string,
  baseDir: string,
): { readonly matches: string[]; readonly folders: ReadonlySet<string> } {
  // Windows has two characters between names.
  const parts = pattern.split(sep).flatMap((part) => part.split("/"))
    .filter((part) => part !== "" && part !== ".");
  const folders = new Set<string>();
  let paths = [{ shown: start, real: baseDir }];
  parts.forEach((part, index) => {
    const isLast = index === parts.length - 1;
    if (/[*?]/.test(part)) {
      for (const { real } of paths) folders.add(real);
    }
    paths = paths.flatMap(({ shown, real }) =>
      namesMatching(real, part)
        .map((name) => ({ shown: join(shown, name), real: join(real, name) }))
        .filter((path) => isOfType(path.real, isLast ? "file" : "directory"))
    ).slice(0, INCLUDED_MAX + 1);
  });
  return { matches: paths.map((path) => path.shown), folders };
}

function namesMatching(directory: string, part: string): string[] {
  if (!/[*?]/.test(part)) return [part];
  const source = part.replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll(/\*+/g, "[^/]*").replaceAll("?", "[^/]");
  const matcher = new RegExp(`^${source}$`);
  return orElse(() =>
    readdirSync(directory)
      .filter((name) => matcher.test(name) && (!name.startsWith(".") || part.startsWith(".")))
      .sort(), []);
}

function isOfType(path: string, type: "file" | "directory"): boolean {
  try {
    const stats = statSync(path);
    return type === "directory" ? stats.isDirectory() : !stats.isDirectory();
  } catch {
    return false;
  }
}
