import { parse, type ParserPlugin } from "@babel/parser";
import type {
  Expression,
  File,
  FunctionDeclaration,
  Node,
  Statement,
  TSEnumDeclaration,
  TSInterfaceDeclaration,
  TSTypeAliasDeclaration,
} from "@babel/types";
import { JobError } from "../core/errors.ts";

/** Longest source that is parsed, in characters; a bundled module may be long. */
export const SOURCE_LENGTH_MAX = 4_194_304;

/** What a name imported from another module stands for. */
export interface ImportedName {
  readonly source: string;
  /** The exported name, "default", or "*" for the whole namespace. */
  readonly name: string;
}

/** A type that the module declares; interfaces of one name are one type. */
export type TypeDeclaration =
  | { readonly type: "interface"; readonly parts: readonly TSInterfaceDeclaration[] }
  | { readonly type: "alias"; readonly node: TSTypeAliasDeclaration }
  | { readonly type: "enum"; readonly node: TSEnumDeclaration }
  | { readonly type: "class" };

/** What a top-level name holds: a function, or the first value of a constant. */
export interface ValueDeclaration {
  readonly node: FunctionDeclaration | Expression;
  /** The declared type of a constant. */
  readonly annotation: Node | null;
  /** The statement that the doc comment stands before. */
  readonly statement: Statement;
}

/** The default export: an expression or a function, with the statement that it stands in. */
export interface DefaultExport {
  readonly node: Node;
  readonly statement: Statement;
}

/** A parsed module and its top-level names. */
export interface ModuleScope {
  readonly source: string;
  readonly types: ReadonlyMap<string, TypeDeclaration>;
  readonly values: ReadonlyMap<string, ValueDeclaration>;
  readonly imports: ReadonlyMap<string, ImportedName>;
  readonly defaultExport: DefaultExport | null;
  /** Module that the default export is passed on from, as in `export { default } from "./x.ts"`. */
  readonly defaultFrom: string | null;
}

/** Where a source comes from. */
export interface SourceOptions {
  /** For error messages. */
  readonly file?: string;
  /** "js" takes no types; "ts" otherwise. */
  readonly language?: "ts" | "js";
}

/**
 * Parse a job module and index its top-level names. Nothing is executed.
 *
 * @throws JobError `invalid_argument` with file, line and column (from 1) of a syntax error
 */
export function parseModule(source: string, options: SourceOptions = {}): ModuleScope {
  const file = options.file ?? "source";
  if (source.length > SOURCE_LENGTH_MAX) {
    throw new JobError(
      "invalid_argument",
      `Cannot read ${file}: ${source.length} characters, at most ${SOURCE_LENGTH_MAX} are read`,
    );
  }
  const plugins: ParserPlugin[] = options.language === "js" ? [] : ["typescript"];
  try {
    return indexModule(source, parse(source, { sourceType: "module", plugins }));
  } catch (cause) {
    throw syntaxError(file, cause);
  }
}

function syntaxError(file: string, cause: unknown): JobError {
  const { loc, message } = cause as { loc?: { line: number; column: number }; message?: string };
  // The parser ends its message with the place, counting columns from 0.
  const text = String(message).replace(/ \(\d+:\d+\)$/, "").replace(/\.$/, "");
  const place = loc === undefined ? file : `${file}:${loc.line}:${loc.column + 1}`;
  return new JobError("invalid_argument", `Cannot parse ${place}: ${text}`, { cause });
}

/** The index while it is filled. */
interface ScopeDraft {
  readonly types: Map<string, TypeDeclaration>;
  readonly values: Map<string, ValueDeclaration>;
  readonly imports: Map<string, ImportedName>;
  defaultExport: DefaultExport | null;
  defaultFrom: string | null;
}

function indexModule(source: string, file: File): ModuleScope {
  const draft: ScopeDraft = {
    types: new Map(),
    values: new Map(),
    imports: new Map(),
    defaultExport: null,
    defaultFrom: null,
  };
  for (const statement of file.program.body) indexStatement(draft, statement, statement);
  for (const statement of file.program.body) indexNamedDefault(draft, statement);
  return { source, ...draft };
}

function indexStatement(draft: ScopeDraft, node: Statement, statement: Statement): void {
  switch (node.type) {
    case "ImportDeclaration":
      for (const specifier of node.specifiers) {
        let name = specifier.type === "ImportDefaultSpecifier" ? "default" : "*";
        if (specifier.type === "ImportSpecifier") name = nameOf(specifier.imported);
        draft.imports.set(specifier.local.name, { source: node.source.value, name });
      }
      return;
    case "TSInterfaceDeclaration": {
      const earlier = draft.types.get(node.id.name);
      const parts = earlier?.type === "interface" ? [...earlier.parts, node] : [node];
      draft.types.set(node.id.name, { type: "interface", parts });
      return;
    }
    case "TSTypeAliasDeclaration":
      draft.types.set(node.id.name, { type: "alias", node });
      return;
    case "TSEnumDeclaration":
      draft.types.set(node.id.name, { type: "enum", node });
      return;
    case "ClassDeclaration":
      if (node.id) draft.types.set(node.id.name, { type: "class" });
      return;
    case "FunctionDeclaration":
      if (node.id) draft.values.set(node.id.name, { node, annotation: null, statement });
      return;
    case "VariableDeclaration":
      // What a let or var holds when the job is loaded cannot be told from the source.
      if (node.kind !== "const") return;
      for (const { id, init } of node.declarations) {
        if (id.type !== "Identifier" || !init) continue;
        const annotation = annotationOf(id);
        draft.values.set(id.name, { node: init, annotation, statement });
      }
      return;
    case "ExportNamedDeclaration":
      if (node.declaration) indexStatement(draft, node.declaration, statement);
      return;
    case "ExportDefaultDeclaration": {
      const { declaration } = node;
      if (declaration.type === "FunctionDeclaration" && declaration.id) {
        indexStatement(draft, declaration, statement);
      }
      // An overload has no body; the implementation follows it.
      if (declaration.type !== "TSDeclareFunction") {
        draft.defaultExport = { node: declaration, statement };
      }
      return;
    }
  }
}

/** `export { run as default }`, after all names are known. */
function indexNamedDefault(draft: ScopeDraft, statement: Statement): void {
  if (statement.type !== "ExportNamedDeclaration") return;
  for (const specifier of statement.specifiers) {
    if (specifier.type !== "ExportSpecifier" || nameOf(specifier.exported) !== "default") continue;
    if (statement.source) draft.defaultFrom = statement.source.value;
    else draft.defaultExport = { node: specifier.local, statement };
  }
}

/** The text of a name or of a quoted name. */
export function nameOf(node: { type: string; name?: unknown; value?: unknown }): string {
  return String(node.type === "Identifier" ? node.name : node.value);
}

/** The type written after a name or pattern, null when there is none. */
export function annotationOf(node: Node): Node | null {
  const holder = (node as { typeAnnotation?: Node | null }).typeAnnotation;
  return holder?.type === "TSTypeAnnotation" ? holder.typeAnnotation : null;
}

/** Text of a doc comment without its stars; undefined when `node` has none before it. */
export function docOf(node: Node): string | undefined {
  const comment = node.leadingComments?.findLast((each) =>
    each.type === "CommentBlock" && each.value.startsWith("*")
  );
  if (comment === undefined) return undefined;
  const lines = comment.value.slice(1).split(/\r?\n/);
  const text = lines.map((line) => line.replace(/^\s*\* ?/, "").trimEnd()).join("\n").trim();
  return text === "" ? undefined : text;
}
