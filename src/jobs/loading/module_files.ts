import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { readSourceFile } from "../types/read_source.ts";

/** The files of a module on disk. */
export interface ModuleFiles {
  /** First 16 hex digits of a hash over all files. */
  readonly version: string;
  /** The same for each file by absolute path, its own first. Missing imports: {@link MISSING}. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Stamps that show a change of a file without reading it; null for a missing file. */
  readonly stamps: ReadonlyMap<string, string | null>;
}

/** Replaces the hash of a missing file: a worker that loaded the file must not serve the module. */
const MISSING = "missing";
/** Most files of one module that are looked at; a bundled module has one. */
const FILES_MAX = 200;
/** Most bytes hashed per module; beyond that, files are compared by time and size. */
const BYTES_MAX = 16 * 1_048_576;
/** Endings that the runtimes try for a specifier that names no file. */
const EXTENSIONS = ["", ".ts", ".js", ".mts", ".mjs", ".json", "/index.ts", "/index.js"];
/**
 * `from "./x"`, `import "./x"`, `import("./x")` and `require("./x")`; a match in a comment is
 * harmless. Each space matches in one way only: with two, a long run would take hours.
 */
const RELATIVE = /\b(?:from|import|require)\s*(?:\(\s*)?["'](\.{1,2}\/[^"'\n]{1,1000})["']/g;

/**
 * Read a module and every file that it imports by relative path, directly or indirectly.
 *
 * @throws if the module itself cannot be read; imports that are not found are left to the runtime
 */
export function readModuleFiles(path: string): ModuleFiles {
  const hashes = new Map<string, string>();
  const stamps = new Map<string, string | null>();
  const waiting = [path];
  let missingCount = 0;
  let bytesLeft = BYTES_MAX;
  const noteMissing = (wanted: string) => {
    if (hashes.has(wanted)) return;
    hashes.set(wanted, MISSING);
    stamps.set(wanted, null);
  };
  for (let read = 0; waiting.length > 0 && read < FILES_MAX;) {
    const file = waiting.shift()!;
    if (hashes.has(file)) continue;
    read++;
    const stamp = stampOf(file);
    if (stamp === null && file === path) readSourceFile(path, BYTES_MAX);
    if (stamp === null) continue;
    const source = readSourceFile(file, bytesLeft) ?? stamp;
    bytesLeft -= source.length;
    stamps.set(file, stamp);
    hashes.set(file, hashOf(source));
    for (const [, specifier] of source.matchAll(RELATIVE)) {
      const paths = candidatesOf(dirname(file), specifier!);
      const found = paths.find((path) => stampOf(path) !== null);
      if (found !== undefined) waiting.push(found);
      else if (missingCount++ < FILES_MAX) { for (const path of paths) noteMissing(path); }
    }
  }
  const own = hashes.get(path)!;
  const version = hashes.size === 1 ? own : hashOf([...hashes.values()].join("\n"));
  return { version, hashes, stamps };
}

/** Changes when the file does; null without a file. */
export function stampOf(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() ? `${stat.mtimeMs} ${stat.ctimeMs} ${stat.size} ${stat.ino}` : null;
}

/** The files that an import may mean, in the order in which they are tried. */
function candidatesOf(directory: string, specifier: string): readonly string[] {
  const base = resolve(directory, specifier.replace(/[?#].*$/, ""));
  // "./x.js" may stand for x.ts.
  const others = /\.m?js$/.test(base) ? [base.replace(/js$/, "ts")] : [];
  return [...EXTENSIONS.map((extension) => base + extension), ...others];
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
