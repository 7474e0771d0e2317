import { existsSync, statSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { messageOf } from "../../core/errors.ts";
import { AMBIENT_TYPES } from "./gen/ambient.ts";
import {
  type ModuleScope,
  parseModule,
  type TypeDeclaration,
  type ValueDeclaration,
} from "./parse_module.ts";
import { readSourceFile, SOURCE_LENGTH_MAX } from "./read_source.ts";

/** Most files that are read for the types of one job. */
const FILES_MAX = 200;
const LIBRARY = /^(?:npm:|jsr:)?ts-job(?:@[^/]+)?$/;

/** The meaning of a name in the module that declares it. */
export type FoundName =
  | {
    readonly type: "type";
    readonly scope: ModuleScope;
    readonly name: string;
    readonly declaration: TypeDeclaration;
  }
  | {
    readonly type: "value";
    readonly scope: ModuleScope;
    readonly value: ValueDeclaration;
  }
  | { readonly type: "namespace"; readonly scope: ModuleScope }
  /** It is imported and cannot be read; the reason as a sentence's end. */
  | { readonly type: "missing"; readonly problem: string };

type Space = "type" | "value";

/**
 * The modules that define the types of one job: its module, the modules it imports by relative
 * path, and the types of the library.
 */
export class ModuleGraph {
  readonly #modules = new Map<string, ModuleScope | string>();
  #library: ModuleScope | null = null;

  /** @param root the job's own module: others may import it back */
  constructor(root?: ModuleScope) {
    if (root?.file && isAbsolute(root.file)) this.#modules.set(resolve(root.file), root);
  }

  /** The types that `ts-job` exports. */
  get library(): ModuleScope {
    return this.#library ??= parseModule(AMBIENT_TYPES, { file: "ts-job.d.ts" });
  }

  /** The type of a name in a module, null when the module has no such name. */
  findType(scope: ModuleScope, name: string): FoundName | null {
    return this.#find(scope, name, "type", new Set());
  }

  /** The constant or function of a name in a module, null when the module has no such name. */
  findValue(scope: ModuleScope, name: string): FoundName | null {
    return this.#find(scope, name, "value", new Set());
  }

  /** The meaning of `import("source").name`. */
  findImported(scope: ModuleScope, source: string, name: string): FoundName {
    return this.#import(scope, { source, name }, "type", new Set());
  }

  /** An export of a module by name; "missing" if there is none. */
  findExport(scope: ModuleScope, name: string, space: Space): FoundName {
    return this.#export(scope, name, space, new Set());
  }

  #find(scope: ModuleScope, name: string, space: Space, seen: Set<string>): FoundName | null {
    const declaration = scope.types.get(name);
    const value = scope.values.get(name);
    if (value !== undefined && space === "value") return { type: "value", scope, value };
    // An enum is a value too.
    if (declaration !== undefined) return { type: "type", scope, name, declaration };
    const imported = scope.imports.get(name);
    return imported === undefined ? null : this.#import(scope, imported, space, seen);
  }

  #import(
    from: ModuleScope,
    imported: { readonly source: string; readonly name: string },
    space: Space,
    seen: Set<string>,
  ): FoundName {
    const { source, name } = imported;
    const scope = this.#load(from, source);
    if (typeof scope === "string") return { type: "missing", problem: scope };
    if (name === "*") return { type: "namespace", scope };
    return this.#export(scope, name, space, seen);
  }

  #export(scope: ModuleScope, name: string, space: Space, seen: Set<string>): FoundName {
    const missing = { type: "missing", problem: `${scope.file} has no "${name}"` } as const;
    const key = `${scope.file} ${name}`;
    // Modules may export each other in circles.
    if (seen.has(key)) return missing;
    seen.add(key);
    if (scope === this.#library) return this.#find(scope, name, space, seen) ?? missing;
    const exported = scope.exports.get(name);
    if (exported !== undefined && "local" in exported) {
      return this.#find(scope, exported.local, space, seen) ?? missing;
    }
    if (exported !== undefined) return this.#import(scope, exported, space, seen);
    if (name === "default" && scope.defaultExport !== null && space === "value") {
      const { node, statement } = scope.defaultExport;
      const value = { node: node as ValueDeclaration["node"], annotation: null, statement };
      return { type: "value", scope, value };
    }
    if (name === "default") return missing;
    let problem: FoundName = missing;
    for (const source of scope.exportsAll) {
      const found = this.#import(scope, { source, name }, space, seen);
      if (found.type !== "missing") return found;
      if (!found.problem.endsWith(`has no "${name}"`)) problem = found;
    }
    return problem;
  }

  /** The module that `specifier` names in `from`, or why it cannot be read. */
  #load(from: ModuleScope, specifier: string): ModuleScope | string {
    if (LIBRARY.test(specifier)) return this.library;
    if (!/^\.\.?(?:\/|$)/.test(specifier)) {
      return "only files imported by a relative path are read";
    }
    if (from.file === null || !isAbsolute(from.file)) {
      return "the place of the importing file is not known";
    }
    const file = findFile(resolve(dirname(from.file), specifier));
    if (file === null) return "there is no such file";
    let module = this.#modules.get(file);
    if (module === undefined) {
      module = this.#modules.size < FILES_MAX ? readModule(file) : "too many files are imported";
      this.#modules.set(file, module);
    }
    return module;
  }
}

function readModule(file: string): ModuleScope | string {
  try {
    const source = readSourceFile(file, SOURCE_LENGTH_MAX);
    if (source === null) return "the file is too large";
    const language = /\.[cm]?ts$/.test(file) ? "ts" : "js";
    return parseModule(source, { file, language });
  } catch (error) {
    return messageOf(error);
  }
}

/** The file of a specifier: as written, with TypeScript's ending for JavaScript's, or without. */
function findFile(path: string): string | null {
  const asSource = path.replace(/\.([cm]?)js$/, ".$1ts");
  const candidates = [
    path,
    asSource,
    ...[".ts", ".mts", ".d.ts", ".js", ".mjs"].map((ending) => path + ending),
    path.replace(/\.[cm]?js$/, ".d.ts"),
    resolve(path, "index.ts"),
    resolve(path, "index.js"),
  ];
  // Declarations beside plain JavaScript contain more than it does.
  const declared = path.replace(/\.([cm]?)js$/, ".d.$1ts");
  if (declared !== path) candidates.unshift(declared);
  return candidates.find((each) => existsSync(each) && statSync(each).isFile()) ?? null;
}
