import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { errorCode } from "../../core/errors.ts";
import type { BrokenModule } from "./broken_module.ts";

/** An import that found nothing: the problem, the place of the import, and the remedy. */
export interface MissingModule extends BrokenModule {
  readonly hint: string;
}

/** Codes of the runtimes for an import that found nothing. */
const CODES = new Set(["ERR_MODULE_NOT_FOUND", "ERR_PACKAGE_PATH_NOT_EXPORTED"]);
/** Largest file in which the import is looked for, in characters. */
const SOURCE_LENGTH_MAX = 1_000_000;
const DEPTH_MAX = 64;

interface Import {
  readonly specifier: string;
  readonly importer: string;
}

/** An import error in our words; null for another error. */
export function explainMissingModule(thrown: unknown): MissingModule | null {
  if (!(thrown instanceof Error)) return null;
  // Deno has some codes only in its text.
  const code = errorCode(thrown) ?? /^\[(\w+)\]/.exec(thrown.message)?.[1] ?? "";
  if (!CODES.has(code)) return null;
  const found = importOf(thrown);
  if (found === null) return null;
  const { importer } = found;
  const specifier = found.specifier.startsWith("/")
    ? `./${relative(dirname(importer), found.specifier)}`.replace(/^\.\/\.\.\//, "../")
    : found.specifier;
  const place = placeOf(specifier, importer);
  const where = `line ${place.line} of ${importer} imports it`;
  return { ...reasonOf(specifier, importer, where), file: importer, ...place };
}

// Bun has properties for it; Deno and Node have only their text.
function importOf(error: Error): Import | null {
  const { specifier, referrer } = error as { specifier?: unknown; referrer?: unknown };
  if (typeof specifier === "string" && typeof referrer === "string") {
    return { specifier, importer: pathOf(referrer) };
  }
  // deno-lint-ignore no-control-regex
  const text = error.message.replace(/\x1b\[\d+m/g, "");
  const deno = /^(?:Import|Module not found) "([^"]+)"[^]*?\bat (file:\S+?):\d+:\d+/.exec(text);
  if (deno) return { specifier: pathOf(deno[1]!), importer: pathOf(deno[2]!) };
  const unexported =
    /subpath '\.([^']*)' is not defined by "exports" in .*\/node_modules\/(.+)\/package\.json'? imported from '?([^\s']+)/
      .exec(text);
  if (unexported) {
    return { specifier: `${unexported[2]}${unexported[1]}`, importer: pathOf(unexported[3]!) };
  }
  const node = /^Cannot find (?:package|module) '([^']+)' imported from '?([^\s']+)/.exec(text);
  return node ? { specifier: pathOf(node[1]!), importer: pathOf(node[2]!) } : null;
}

function pathOf(address: string): string {
  if (address.startsWith("file:")) return fileURLToPath(address.replace(/[?#].*$/, ""));
  return address.startsWith("/") ? address.replace(/\?v=\w+$/, "") : address;
}

function reasonOf(
  specifier: string,
  importer: string,
  where: string,
): Pick<MissingModule, "message" | "hint"> {
  if (/^[./]/.test(specifier)) {
    return {
      message: `Cannot find the file "${specifier}": ${where}`,
      hint: "A relative import is relative to the file that imports, and has its ending: ./lib.ts",
    };
  }
  if (specifier.startsWith("#")) {
    return {
      message: `Cannot find "${specifier}": ${where}`,
      hint: `Define it under "imports" of ${join(projectOf(importer), "package.json")}`,
    };
  }
  const name = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  if (name === "ts-job") {
    return {
      message: `Cannot find package "ts-job": ${where}`,
      hint: 'It has only types for job modules, so write: import type { Context } from "ts-job"',
    };
  }
  if (isInstalled(name, importer)) {
    return {
      message: `Cannot find "${specifier}" in package "${name}": ${where}`,
      hint: `Look for it under "exports" of its package.json, or install another version`,
    };
  }
  const install = isBuiltin(name) ? `node:${name}` : installCommand(name, importer);
  return { message: `Cannot find package "${name}": ${where}`, hint: install };
}

function installCommand(name: string, importer: string): string {
  const project = projectOf(importer);
  const packages = isDeclared(name, project) ? "" : ` ${name}`;
  return `Install it beside the job modules: cd ${project} && npm install${packages}`;
}

/** The folder whose package.json counts for a file; otherwise the file's folder. */
function projectOf(file: string): string {
  return foldersAbove(file).find((folder) => existsSync(join(folder, "package.json"))) ??
    dirname(file);
}

function isInstalled(name: string, importer: string): boolean {
  return foldersAbove(importer).some((folder) => existsSync(join(folder, "node_modules", name)));
}

function isDeclared(name: string, project: string): boolean {
  try {
    const { dependencies } = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
    return Object.hasOwn(dependencies ?? {}, name);
  } catch {
    return false;
  }
}

function foldersAbove(file: string): readonly string[] {
  const folders: string[] = [];
  let folder = dirname(file);
  while (folders.length < DEPTH_MAX && folders.at(-1) !== folder) {
    folders.push(folder);
    folder = dirname(folder);
  }
  return folders;
}

/** The first place of the quoted specifier in a file; otherwise its beginning. */
function placeOf(
  specifier: string,
  file: string,
): { readonly line: number; readonly column: number } {
  let source = "";
  try {
    source = readFileSync(file, "utf8").slice(0, SOURCE_LENGTH_MAX);
  } catch {
    // The file went away meanwhile.
  }
  const quotes = [`"${specifier}"`, `'${specifier}'`, `"${specifier}/`, `'${specifier}/`];
  const at = quotes.map((text) => source.indexOf(text)).find((index) => index >= 0) ?? 0;
  const before = source.slice(0, at).split("\n");
  return { line: before.length, column: before.at(-1)!.length + 1 };
}
