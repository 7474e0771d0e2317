import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "@babel/parser";
import type { Node, Statement } from "@babel/types";

const SOURCES = fileURLToPath(new URL("../../src/", import.meta.url));

/** The types for authors of jobs by file; what these refer to comes with them. */
const ROOTS: readonly (readonly [file: string, names: readonly string[]])[] = [
  ["core/state.ts", ["JobState"]],
  ["core/arguments/signature.ts", ["Int", "Duration", "ArgumentInput"]],
  ["core/job/job.ts", ["InstanceLog", "InstanceHandle", "Context"]],
  ["core/job/gen/run_options.ts", ["ScheduleOptions"]],
  ["core/job/job_manager.ts", ["JobManager"]],
  ["core/job/job.ts", ["WorkerInfo"]],
  ["core/job/define.ts", ["JobInput"]],
];

/** Types that have another name for authors of jobs. */
const NAMES: Readonly<Record<string, string>> = {
  "core/job/job.ts:InstanceHandle": "Instance",
  "core/job/job_manager.ts:JobManager": "Manager",
  "core/instance.ts:Instance": "StoredInstance",
  "core/job/job.ts:WorkerInfo": "Worker",
};

const HEAD = `// Types for job modules. Written by "jobctl init"; write it again after an upgrade.
//
// Import them as types only:
//   import type { Context } from "ts-job";
// A parameter of type Context, Instance, Manager, Worker or AbortSignal (which needs no import)
// takes no argument: it is given its value at any position.
declare module "ts-job" {
`;

/** A file of our sources and what it declares. */
interface Module {
  readonly file: string;
  readonly text: string;
  /** Where an imported name comes from. */
  readonly imports: ReadonlyMap<string, { readonly file: string; readonly name: string }>;
  readonly types: ReadonlyMap<string, { readonly node: Node; readonly comment: string }>;
  /** Types of the elements of constant lists, as text. */
  readonly lists: ReadonlyMap<string, string>;
}

/** A part of a text to be replaced. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Collects declarations, each once, with those that they refer to. */
class Collector {
  readonly #modules = new Map<string, Module>();
  readonly #declarations = new Map<string, string>();

  get text(): string {
    return [...this.#declarations.values()].join("\n");
  }

  add(file: string, name: string): string {
    const id = `${file}:${name}`;
    const known = NAMES[id] ?? name;
    if (this.#declarations.has(id)) return known;
    const module = this.#module(file);
    const found = module.types.get(name);
    if (found === undefined) throw new Error(`${file} declares no type ${name}`);
    // Its place is before the types that it refers to.
    this.#declarations.set(id, "");
    const { node, comment } = found;
    const edits: Edit[] = [];
    this.#collectEdits(module, node, edits);
    const { id: own } = node as Node & { readonly id: Node };
    edits.push({ start: own.start!, end: own.end!, text: known });
    const text = `${comment}export ${edited(module.text, node, edits)}\n`;
    this.#declarations.set(id, text.replace(/^(?=.)/gm, "  "));
    return known;
  }

  #collectEdits(module: Module, node: Node, edits: Edit[]): void {
    const reference = referenceOf(node);
    if (reference !== null) {
      const text = this.#resolve(module, reference.name);
      if (text !== null) edits.push({ start: reference.start!, end: reference.end!, text });
    }
    const list = listOf(node);
    if (list !== null) {
      const text = module.lists.get(list);
      if (text === undefined) throw new Error(`${module.file}: ${list} is no constant list`);
      edits.push({ start: node.start!, end: node.end!, text });
      return;
    }
    for (const child of childrenOf(node)) this.#collectEdits(module, child, edits);
  }

  /** The name that a type has here; null for a type of the language. */
  #resolve(module: Module, name: string): string | null {
    if (module.types.has(name)) return this.add(module.file, name);
    const imported = module.imports.get(name);
    return imported === undefined ? null : this.add(imported.file, imported.name);
  }

  #module(file: string): Module {
    let module = this.#modules.get(file);
    if (module === undefined) this.#modules.set(file, module = readModule(file));
    return module;
  }
}

function edited(text: string, node: Node, edits: readonly Edit[]): string {
  let result = text.slice(node.start!, node.end!);
  for (const { start, end, text: by } of [...edits].sort((a, b) => b.start - a.start)) {
    result = result.slice(0, start - node.start!) + by + result.slice(end - node.start!);
  }
  return result;
}

function readModule(file: string): Module {
  const text = readFileSync(join(SOURCES, file), "utf8");
  const { program } = parse(text, { sourceType: "module", plugins: ["typescript"] });
  const imports = new Map<string, { readonly file: string; readonly name: string }>();
  const types = new Map<string, { readonly node: Node; readonly comment: string }>();
  const lists = new Map<string, string>();
  for (const statement of program.body) {
    if (statement.type === "ImportDeclaration") {
      const from = normalize(join(dirname(file), statement.source.value));
      for (const { type, local, ...rest } of statement.specifiers) {
        if (type !== "ImportSpecifier") continue;
        const { imported } = rest as unknown as { readonly imported: { readonly name: string } };
        imports.set(local.name, { file: from, name: imported.name });
      }
      continue;
    }
    const node = declarationOf(statement);
    if (node?.type === "TSInterfaceDeclaration" || node?.type === "TSTypeAliasDeclaration") {
      types.set(node.id.name, { node, comment: commentOf(statement) });
    } else if (node?.type === "VariableDeclaration") {
      for (const { id, init } of node.declarations) {
        const array = init?.type === "TSAsExpression" ? init.expression : null;
        if (id.type !== "Identifier" || array?.type !== "ArrayExpression") continue;
        const words = array.elements.map((word) => text.slice(word!.start!, word!.end!));
        lists.set(id.name, words.join(" | "));
      }
    }
  }
  return { file, text, imports, types, lists };
}

function declarationOf(statement: Statement): Node | null | undefined {
  return statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
}

function commentOf({ leadingComments }: Statement): string {
  const docs = leadingComments?.filter(({ value }) => value.startsWith("*")) ?? [];
  const text = docs.at(-1)?.value.replace(/\{@link ([\w.]+)\}/g, "`$1`");
  return text === undefined ? "" : `/*${text}*/\n`;
}

/** The name of a type that a node refers to; null for a node of another kind. */
function referenceOf(node: Node): (Node & { readonly name: string }) | null {
  const name = node.type === "TSTypeReference"
    ? node.typeName
    : node.type === "TSInterfaceHeritage"
    ? node.expression
    : null;
  return name?.type === "Identifier" ? name as Node & { readonly name: string } : null;
}

/** The list of `(typeof LIST)[number]`; null for a node of another kind. */
function listOf(node: Node): string | null {
  if (node.type !== "TSIndexedAccessType") return null;
  const { objectType: object } = node;
  const of = object.type === "TSParenthesizedType" ? object.typeAnnotation : object;
  return of.type === "TSTypeQuery" && of.exprName.type === "Identifier" ? of.exprName.name : null;
}

function childrenOf(node: Node): Node[] {
  return Object.entries(node).flatMap(([key, value]) =>
    key.endsWith("Comments")
      ? []
      : [value].flat().filter((child) =>
        typeof child === "object" && child !== null && typeof child.type === "string"
      )
  );
}

/** The text of `ts-job.d.ts`. */
export function authorTypes(): string {
  const collector = new Collector();
  for (const [file, names] of ROOTS) {
    for (const name of names) collector.add(file, name);
  }
  return `${HEAD}${collector.text}}\n`;
}

/** The module that holds this text. */
export function ambientModule(): string {
  const lines = authorTypes().split(/(?<=\n)/).map((line) => `  ${JSON.stringify(line)},`);
  return [
    "// @generated by scripts/generate.mjs from the types of the core",
    "",
    "/**",
    " * Text of the `ts-job.d.ts` that `jobctl init` writes: types for editors and for modules that import",
    " * types from `ts-job`. A module that imports our values needs our package.",
    " */",
    "export const AMBIENT_TYPES: string = [",
    ...lines,
    '].join("");',
    "",
  ].join("\n");
}
