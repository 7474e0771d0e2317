import { parse } from "@babel/parser";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, posix } from "node:path";
import { fileURLToPath } from "node:url";

/** A node of the syntax tree, as far as the rules look. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly loc: {
    readonly start: { readonly line: number };
    readonly end: { readonly line: number };
  };
  readonly [key: string]: unknown;
}

/** One import or re-export. */
export interface SourceImport {
  readonly specifier: string;
  readonly line: number;
  readonly isType: boolean;
  /** True for `import()`, which loads a module when it is called. */
  readonly isLazy: boolean;
  /**
   * Path below the root for a relative import, such as `src/core/errors.ts`; null for packages and
   * `node:`.
   */
  readonly target: string | null;
}

/** A TypeScript file with its syntax tree. */
export interface SourceFile {
  /** Path below the root, such as `src/core/errors.ts`. */
  readonly path: string;
  /** The folder below `src`, or the file's name without ending for files in `src` itself. */
  readonly folder: string;
  readonly text: string;
  readonly lineCount: number;
  readonly program: SyntaxNode | null;
  readonly syntaxError: string | null;
  readonly imports: readonly SourceImport[];
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null &&
    typeof (value as { type?: unknown }).type === "string";
}

/** Visit `node` and what is below it; `parents` are its ancestors, nearest last. */
export function visit(
  node: SyntaxNode,
  visitor: (node: SyntaxNode, parents: readonly SyntaxNode[]) => void,
  parents: SyntaxNode[] = [],
): void {
  visitor(node, parents);
  parents.push(node);
  for (const key in node) {
    const value = node[key];
    // Most are names and numbers. Without Object.entries(), the tests take half the time.
    if (typeof value !== "object" || value === null) continue;
    if (key === "loc" || key.endsWith("Comments") || key === "errors") continue;
    if (!Array.isArray(value)) {
      if (isNode(value)) visit(value, visitor, parents);
      continue;
    }
    for (const child of value) if (isNode(child)) visit(child, visitor, parents);
  }
  parents.pop();
}

function importOf(node: SyntaxNode): { source: SyntaxNode; isType: boolean } | null {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration": {
      if (!isNode(node.source)) return null;
      const specifiers = (node.specifiers ?? []) as readonly SyntaxNode[];
      const isEachType = specifiers.length > 0 &&
        specifiers.every((one) => one.importKind === "type" || one.exportKind === "type");
      return {
        source: node.source,
        isType: node.importKind === "type" || node.exportKind === "type" || isEachType,
      };
    }
    case "ImportExpression":
      return isNode(node.source) ? { source: node.source, isType: false } : null;
    case "TSImportType": {
      const argument = isNode(node.source) ? node.source : node.argument;
      if (!isNode(argument)) return null;
      const source = isNode(argument.literal) ? argument.literal : argument;
      return { source, isType: true };
    }
    default:
      return null;
  }
}

function importsOf(program: SyntaxNode, path: string): SourceImport[] {
  const imports: SourceImport[] = [];
  visit(program, (node) => {
    const found = importOf(node);
    if (found === null || typeof found.source.value !== "string") return;
    const specifier = found.source.value;
    imports.push({
      specifier,
      line: node.loc.start.line,
      isType: found.isType,
      isLazy: node.type === "ImportExpression",
      target: specifier.startsWith(".") ? posix.join(dirname(path), specifier) : null,
    });
  });
  return imports;
}

/** What parsing a file gives. */
type Parsed = Pick<SourceFile, "program" | "syntaxError" | "imports">;

function parseSource(path: string, text: string): Parsed {
  try {
    const parsed = parse(text, {
      sourceType: "module",
      plugins: path.endsWith(".tsx") ? ["typescript", "jsx"] : ["typescript"],
      createImportExpressions: true,
    });
    const program = parsed.program as unknown as SyntaxNode;
    return { program, syntaxError: null, imports: importsOf(program, path) };
  } catch (error) {
    return { program: null, syntaxError: String(error), imports: [] };
  }
}

/** A file, parsed when its syntax is first looked at; a syntax error is told in the result. */
export function readSource(path: string, text: string): SourceFile {
  const [, folder = ""] = /^src\/([^/.]+)/.exec(path) ?? [];
  const lineCount = text.trimEnd().split("\n").length;
  let parsed: Parsed | undefined;
  const parseOnce = () => parsed ??= parseSource(path, text);
  return {
    ...{ path, folder, text, lineCount },
    get program() {
      return parseOnce().program;
    },
    get syntaxError() {
      return parseOnce().syntaxError;
    },
    get imports() {
      return parseOnce().imports;
    },
  };
}

// Test files of one process share them: each source is parsed once.
const read = new Map<string, readonly SourceFile[]>();

/** Every TypeScript file below a folder of the project, generated code left out. */
export function readSources(folder: string): readonly SourceFile[] {
  const known = read.get(folder);
  if (known !== undefined) return known;
  const sources = readdirSync(`${ROOT}/${folder}`, { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((path) => /\.tsx?$/.test(path) && !path.includes("/gen/")).sort()
    .map((path) => readSource(path, readFileSync(`${ROOT}/${path}`, "utf8")));
  read.set(folder, sources);
  return sources;
}
