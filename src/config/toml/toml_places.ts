import { type AST, parseTOML } from "toml-eslint-parser";
import type { ConfigProblem, Place } from "../../core/config_problem.ts";
import { PROTOTYPE_KEYS } from "../../core/text/object_keys.ts";
import { formatPath, type KeyPath } from "../values/source.ts";

/** A line and a column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The places of a key, of its value, and of everything below them. */
interface Spot {
  /** Null while only something below was read. */
  key: Position | null;
  value: Position | null;
  below: Map<string | number, Spot> | null;
}

/** The places of all keys and values of a file, and problems found only in its syntax tree. */
export class TomlPlaces {
  readonly problems: ConfigProblem[] = [];
  readonly #file: string;
  readonly #root: Spot = { key: null, value: null, below: null };

  /** @throws ParseError when the text is not TOML */
  constructor(text: string, file: string) {
    this.#file = file;
    this.#table(parseTOML(text, { tomlVersion: "1.0" }).body[0].body);
  }

  /** The place of the key or the value at `path`, or of the nearest one above. */
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

  #table(body: readonly (AST.TOMLKeyValue | AST.TOMLTable)[], base: KeyPath = []): void {
    for (const node of body) {
      if (node.type === "TOMLTable") {
        this.#key(node.key, node.resolvedKey);
        this.#table(node.body, node.resolvedKey);
      } else {
        const path = [...base, ...node.key.keys.map(keyName)];
        this.#key(node.key, path);
        this.#value(node.value, path);
      }
    }
  }

  #key(key: AST.TOMLKey, path: KeyPath): void {
    // A header has its whole path, a key in a table only its end. List indices are never written.
    const written = path.map((_, index) => path.slice(0, index + 1))
      .filter((prefix) => typeof prefix.at(-1) === "string").slice(-key.keys.length);
    for (const [index, node] of key.keys.entries()) {
      const prefix = written[index]!;
      this.#remember(prefix, node);
      if (PROTOTYPE_KEYS.has(keyName(node))) {
        this.#problem(node, prefix, "this name is not allowed");
      }
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
      this.#table(node.body, path);
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

function keyName(node: AST.TOMLBare | AST.TOMLQuoted): string {
  return node.type === "TOMLBare" ? node.name : node.value;
}

function positionOf(node: AST.TOMLNode): Position {
  return { line: node.loc.start.line, column: node.loc.start.column + 1 };
}
