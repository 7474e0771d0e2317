import { parse } from "@iarna/toml";
import { type AST, ParseError, parseTOML } from "toml-eslint-parser";
import type { ConfigProblem, Place } from "../core/job/job_table.ts";
import { PROTOTYPE_KEYS } from "../core/object_keys.ts";
import { findExcess, NESTING_MAX } from "./scan_toml.ts";
import { formatPath, isTable, type KeyPath } from "./source.ts";

/** A parsed file: plain data, dates as ISO text, and where each key and value stands. */
export interface ParsedToml {
  /** Null when the file is not TOML at all. */
  readonly tree: Readonly<Record<string, unknown>> | null;
  readonly problems: readonly ConfigProblem[];
  placeOf(path: KeyPath, part: "key" | "value"): Place;
}

interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where a key and its value stand, and what is below them. */
interface Spot {
  /** Null while only something below was read. */
  key: Position | null;
  value: Position | null;
  below: Map<string | number, Spot> | null;
}

/**
 * Parse the bytes of a TOML file.
 *
 * `@iarna/toml` gives the values, `toml-eslint-parser` the places; what either refuses is refused, so the gaps of the
 * one are closed by the other.
 *
 * @param file the name that places carry
 */
export function parseToml(bytes: Uint8Array, file: string): ParsedToml {
  const text = decode(bytes);
  if (typeof text !== "string") return refused(file, text, "found bytes that are not UTF-8");
  const excess = findExcess(text);
  if (excess !== null) return refused(file, positionAt(text, excess.index), excess.message);
  const ast = tryParse(() => parseTOML(text, { tomlVersion: "1.0" }));
  const values = tryParse(() => parse(text));
  if (ast.error !== undefined || values.error !== undefined) {
    return refusedSyntax(text, file, ast.error, values.error);
  }
  const walk = new PlaceWalk(file);
  walk.table(ast.result!.body[0].body);
  return {
    tree: walk.isTooDeep ? null : plainTable(values.result!),
    problems: walk.problems,
    placeOf: (path, part) => walk.placeOf(path, part),
  };
}

function refused(
  file: string,
  position: Position,
  message: string,
  hint?: string,
): ParsedToml {
  const place = { file, ...position };
  return {
    tree: null,
    problems: [{ place, path: "", message, ...(hint === undefined ? {} : { hint }), job: null }],
    placeOf: () => place,
  };
}

function tryParse<T>(run: () => T): { readonly result?: T; readonly error?: unknown } {
  try {
    return { result: run() };
  } catch (error) {
    return { error };
  }
}

// Of the messages only the first line: iarna's goes on with lines of the file, which may hold secrets.
function refusedSyntax(text: string, file: string, astError: unknown, error: unknown): ParsedToml {
  const isDuplicate = astError instanceof ParseError && /multiple times/.test(astError.message);
  if (isDuplicate) {
    const position = { line: astError.lineNumber, column: astError.column + 1 };
    const line = text.split("\n", astError.lineNumber).at(-1)!;
    const key = /^["'\w.-]+/.exec(line.slice(astError.column))?.[0] ?? "";
    return refused(file, position, `found the key ${key} a second time, wanted it once`);
  }
  if (isTomlError(error)) {
    const message = error.message.split("\n", 1)[0]!.replace(/ at row \d+.*$/, "");
    // iarna refuses a bare date right before a comma or a bracket.
    const hint = /date/i.test(message) ? 'Quote dates: "2026-01-01"' : undefined;
    const position = { line: error.line + 1, column: error.col + 1 };
    return refused(file, position, lower(message), hint);
  }
  if (astError instanceof ParseError) {
    const position = { line: astError.lineNumber, column: astError.column + 1 };
    return refused(file, position, lower(astError.message));
  }
  return refused(file, { line: 1, column: 1 }, "found what is not TOML");
}

function isTomlError(
  error: unknown,
): error is { readonly message: string; readonly line: number; readonly col: number } {
  // Bun gives every error a `line` of its own.
  return (error as { fromTOML?: unknown } | undefined)?.fromTOML === true &&
    typeof (error as { line?: unknown }).line === "number";
}

function lower(message: string): string {
  return `not TOML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}

// The text without a byte order mark, or the place of the first byte that is not UTF-8.
function decode(bytes: Uint8Array): string | Position {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    let start = 0;
    let line = 1;
    while (start < bytes.length) {
      const newline = bytes.indexOf(10, start);
      const end = newline < 0 ? bytes.length : newline;
      const column = badColumn(bytes.subarray(start, end));
      if (column !== null) return { line, column };
      start = end + 1;
      line++;
    }
    return { line, column: 1 };
  }
}

function badColumn(line: Uint8Array): number | null {
  if (isUtf8(line)) return null;
  let low = 0;
  let high = line.length;
  // A cut character decodes in streaming mode, so the longest good prefix is found by halving.
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (isUtf8(line.subarray(0, middle), true)) low = middle;
    else high = middle;
  }
  return new TextDecoder().decode(line.subarray(0, low), { stream: true }).length + 1;
}

function isUtf8(bytes: Uint8Array, isCut = false): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: isCut });
    return true;
  } catch {
    return false;
  }
}

function positionAt(text: string, index: number): Position {
  const before = text.slice(0, index);
  const lines = before.split("\n");
  return { line: lines.length, column: lines.at(-1)!.length + 1 };
}

function plainTable(table: object): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(table)) {
    if (!PROTOTYPE_KEYS.has(key)) plain[key] = plainValue(value);
  }
  return plain;
}

function plainValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainValue);
  if (value instanceof Date) return value.toISOString();
  return isTable(value) ? plainTable(value) : value;
}

/** Reads the places of keys and values off the syntax tree. */
class PlaceWalk {
  readonly problems: ConfigProblem[] = [];
  isTooDeep = false;
  readonly #file: string;
  readonly #root: Spot = { key: null, value: null, below: null };

  constructor(file: string) {
    this.#file = file;
  }

  placeOf(path: KeyPath, part: "key" | "value"): Place {
    let position: Position = { line: 1, column: 1 };
    let spot: Spot | undefined = this.#root;
    for (const name of path) {
      spot = spot.below?.get(name);
      if (spot === undefined) break;
      if (spot.key !== null) position = part === "value" ? spot.value ?? spot.key : spot.key;
    }
    return { file: this.#file, ...position };
  }

  table(body: readonly (AST.TOMLKeyValue | AST.TOMLTable)[], base: KeyPath = []): void {
    for (const node of body) {
      if (node.type === "TOMLTable") {
        this.#key(node.key, node.resolvedKey);
        this.table(node.body, node.resolvedKey);
      } else {
        const path = [...base, ...node.key.keys.map(keyName)];
        this.#key(node.key, path);
        this.#value(node.value, path);
      }
    }
  }

  #key(key: AST.TOMLKey, path: KeyPath): void {
    if (key.keys.length > NESTING_MAX) {
      this.isTooDeep = true;
      this.#problem(key, path.slice(0, 1), `found a key of over ${NESTING_MAX} parts`);
      return;
    }
    let length = 0;
    const names = path.filter((part) => typeof part === "string").length;
    // A header names its whole path, a key in a table only the end of it; indices of table lists are not written.
    let skip = names - key.keys.length;
    for (const part of path) {
      length++;
      if (typeof part === "number" || skip-- > 0) continue;
      const node = key.keys[key.keys.length - 1 - countNames(path, length)]!;
      const prefix = path.slice(0, length);
      this.#remember(prefix, node);
      if (PROTOTYPE_KEYS.has(part)) this.#problem(node, prefix, "this name is not allowed");
    }
    this.#remember(path, key.keys.at(-1)!);
  }

  #value(node: AST.TOMLContentNode, path: KeyPath): void {
    const spot = this.#spotOf(path);
    if (spot.key === null) spot.key = positionOf(node);
    else spot.value = positionOf(node);
    if (node.type === "TOMLArray") {
      node.elements.forEach((element, index) => this.#value(element, [...path, index]));
    } else if (node.type === "TOMLInlineTable") {
      this.table(node.body, path);
    } else if (node.kind === "integer" && BigInt.asIntN(64, node.bigint) !== node.bigint) {
      this.#problem(node, path, "found an integer of over 64 bits");
    }
  }

  #remember(path: KeyPath, node: AST.TOMLNode): void {
    this.#spotOf(path).key ??= positionOf(node);
  }

  #spotOf(path: KeyPath): Spot {
    let spot = this.#root;
    for (const name of path) {
      spot.below ??= new Map();
      let next = spot.below.get(name);
      if (next === undefined) spot.below.set(name, next = { key: null, value: null, below: null });
      spot = next;
    }
    return spot;
  }

  #problem(node: AST.TOMLNode, path: KeyPath, message: string): void {
    const isInJob = path[0] === "jobs" && path.length >= 3;
    this.problems.push({
      place: { file: this.#file, ...positionOf(node) },
      path: formatPath(path),
      message,
      job: isInJob ? String(path[1]) : null,
    });
  }
}

// How many names of a path stand after its first `length` parts.
function countNames(path: KeyPath, length: number): number {
  return path.slice(length).filter((part) => typeof part === "string").length;
}

function keyName(node: AST.TOMLBare | AST.TOMLQuoted): string {
  return node.type === "TOMLBare" ? node.name : node.value;
}

function positionOf(node: AST.TOMLNode): Position {
  return { line: node.loc.start.line, column: node.loc.start.column + 1 };
}
