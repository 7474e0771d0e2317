import { parse, type ParserPlugin } from "@babel/parser";
import type {
  ExportNamedDeclaration,
  Expression,
  File,
  FunctionDeclaration,
  Node,
  Statement,
  TSEnumDeclaration,
  TSInterfaceDeclaration,
  TSTypeAliasDeclaration,
} from "@babel/types";
import type { SourceOptions } from "../../core/arguments/signature.ts";
import { JobError } from "../../core/errors.ts";
import { docText, readDocTypes } from "./doc_types.ts";
import { SOURCE_LENGTH_MAX } from "./read_source.ts";

/** The meaning of a name imported from another module. */
export interface ImportedName {
  readonly source: string;
  /** The exported name, "default", or "*" for the whole namespace. */
  readonly name: string;
}

/** An export by name: a declaration of the module, or of another one. */
export type ExportedName = { readonly local: string } | ImportedName;

/** A type that the module declares; interfaces of one name are one type. */
export type TypeDeclaration =
  | { readonly type: "interface"; readonly parts: readonly TSInterfaceDeclaration[] }
  | { readonly type: "alias"; readonly node: TSTypeAliasDeclaration }
  | { readonly type: "enum"; readonly node: TSEnumDeclaration }
  | { readonly type: "class" };

/** The value of a top-level name: a function, or the first value of a constant. */
export interface ValueDeclaration {
  readonly node: FunctionDeclaration | Expression;
  /** The declared type of a constant. */
  readonly annotation: Node | null;
  /** The statement after the doc comment. */
  readonly statement: Statement;
}

/** The default export, an expression or a function, with its statement. */
export interface DefaultExport {
  readonly node: Node;
  readonly statement: Statement;
}

/** A parsed module and its top-level names. */
export interface ModuleScope {
  readonly source: string;
  /** Null for a source that is not a file: its imports cannot be found. */
  readonly file: string | null;
  readonly language: "ts" | "js";
  readonly types: ReadonlyMap<string, TypeDeclaration>;
  readonly values: ReadonlyMap<string, ValueDeclaration>;
  readonly imports: ReadonlyMap<string, ImportedName>;
  readonly exports: ReadonlyMap<string, ExportedName>;
  /** Modules that are re-exported in full. */
  readonly exportsAll: readonly string[];
  readonly defaultExport: DefaultExport | null;
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
  const { language = "ts" } = options;
  const isDeclaration = /\.d\.[cm]?ts$/.test(file);
  const plugins: ParserPlugin[] = language === "js"
    ? []
    : [isDeclaration ? ["typescript", { dts: true }] : "typescript"];
  try {
    const parsed = parse(source, { sourceType: "module", plugins });
    return indexModule(parsed, { source, file: options.file ?? null, language });
  } catch (cause) {
    if (cause instanceof JobError) throw cause;
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
class ScopeDraft {
  readonly types = new Map<string, TypeDeclaration>();
  readonly values = new Map<string, ValueDeclaration>();
  readonly imports = new Map<string, ImportedName>();
  readonly exports = new Map<string, ExportedName>();
  readonly exportsAll: string[] = [];
  defaultExport: DefaultExport | null = null;
}

function indexModule(
  parsed: File,
  about: Pick<ModuleScope, "source" | "file" | "language">,
): ModuleScope {
  const draft = new ScopeDraft();
  for (const statement of parsed.program.body) indexStatement(draft, statement, statement);
  const doc = readDocTypes(parsed.comments ?? [], about.language);
  for (const statement of doc) indexStatement(draft, statement, statement);
  return { ...about, ...draft };
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
      // The value of a let or var at load time is not in the source.
      if (node.kind !== "const") return;
      for (const { id, init } of node.declarations) {
        if (id.type !== "Identifier" || !init) continue;
        const annotation = annotationOf(id);
        draft.values.set(id.name, { node: init, annotation, statement });
      }
      return;
    case "ExportNamedDeclaration":
      indexExports(draft, node);
      return;
    case "ExportAllDeclaration":
      draft.exportsAll.push(node.source.value);
      return;
    case "TSModuleDeclaration":
      // The declarations of `declare module "ts-job"`.
      if (node.id.type !== "StringLiteral" || node.body.type !== "TSModuleBlock") return;
      for (const inner of node.body.body) indexStatement(draft, inner, inner);
      return;
    case "ExportDefaultDeclaration": {
      const { declaration } = node;
      const isDeclared = declaration.type === "FunctionDeclaration" ||
        declaration.type === "TSInterfaceDeclaration" || declaration.type === "ClassDeclaration";
      if (isDeclared && declaration.id) {
        indexStatement(draft, declaration, statement);
        draft.exports.set("default", { local: declaration.id.name });
      } else if (declaration.type === "Identifier") {
        draft.exports.set("default", { local: declaration.name });
      }
      // An overload has no body; the implementation follows it.
      if (declaration.type !== "TSDeclareFunction") {
        draft.defaultExport = { node: declaration, statement };
      }
      return;
    }
  }
}

function indexExports(draft: ScopeDraft, node: ExportNamedDeclaration): void {
  const { declaration, source } = node;
  if (declaration) {
    indexStatement(draft, declaration, node);
    const names = declaration.type === "VariableDeclaration"
      ? declaration.declarations.map(({ id }) => id)
      : [(declaration as { readonly id?: Node | null }).id];
    for (const id of names) {
      if (id?.type === "Identifier") draft.exports.set(id.name, { local: id.name });
    }
  }
  for (const specifier of node.specifiers) {
    const exported = nameOf(specifier.exported);
    if (specifier.type === "ExportSpecifier") {
      const local = nameOf(specifier.local);
      if (source) draft.exports.set(exported, { source: source.value, name: local });
      else {
        draft.exports.set(exported, { local });
        if (exported === "default") {
          draft.defaultExport = { node: specifier.local, statement: node };
        }
      }
    } else if (source) draft.exports.set(exported, { source: source.value, name: "*" });
  }
}

/** The text of a name or of a quoted name. */
export function nameOf(node: { type: string; name?: unknown; value?: unknown }): string {
  return String(node.type === "Identifier" ? node.name : node.value);
}

/** The type written after a name or pattern; null if absent. */
export function annotationOf(node: Node): Node | null {
  const holder = (node as { typeAnnotation?: Node | null }).typeAnnotation;
  return holder?.type === "TSTypeAnnotation" ? holder.typeAnnotation : null;
}

/** Text of the doc comment before a node without its stars; undefined if absent. */
export function docOf(node: Node): string | undefined {
  return docBefore(node)?.text;
}

/** The doc comment before a node, with the line that it begins on. */
export function docBefore(
  node: Node,
): { readonly text: string; readonly line: number } | undefined {
  const comments = node.leadingComments ?? [];
  for (const comment of comments.toReversed()) {
    const text = docText(comment);
    // A typedef is a separate declaration, not the comment of the next node.
    if (text === null || /@(?:typedef|import)\b/.test(text)) continue;
    return text === "" ? undefined : { text, line: comment.loc?.start.line ?? 1 };
  }
  return undefined;
}
