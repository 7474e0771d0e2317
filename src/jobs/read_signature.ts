import type { Node } from "@babel/types";
import { JobError } from "../core/errors.ts";
import type { Signature } from "../core/signature.ts";
import { findJobExport, type FunctionNode, type JobExport } from "./exports_reader.ts";
import { ParameterReader } from "./parameter_reader.ts";
import {
  annotationOf,
  type ModuleScope,
  nameOf,
  parseModule,
  type SourceOptions,
} from "./parse_module.ts";
import { TypeReader } from "./type_reader.ts";

/** The signature of which nothing is known: arguments pass as given. */
export const UNTYPED_SIGNATURE: Signature = {
  parameters: [],
  resultCount: null,
  isTyped: false,
  warnings: [],
};

/**
 * Read from a module's source how its job is called. Nothing is executed and no other file is read.
 *
 * Understood are number, string, boolean, bigint, Date, null, undefined, literals, unions, arrays, tuples, object types,
 * interfaces, aliases (with type parameters) and enums of the same file, Record, Partial, Required, Readonly, Pick, Omit and
 * NonNullable. What is not is `unknown` with a warning. A function none of whose parameters has a type is untyped: its
 * arguments pass as given.
 *
 * @param options.entry the kind of the wanted job, for a module whose default export is an array
 * @throws JobError `invalid_argument` with `file:line:column` for a syntax error
 */
export function readSignature(
  source: string,
  options: SourceOptions & { readonly entry?: string } = {},
): Signature {
  const scope = parseModule(source, options);
  const job = findJobExport(scope, options.entry ?? null);
  if (job.params !== null) return withParams(scope, job, job.params);
  if (job.run === null) {
    return { ...UNTYPED_SIGNATURE, doc: job.doc, warnings: [job.problem ?? "No function found"] };
  }
  return signatureOf(scope, job, job.run);
}

/**
 * Read parameters from text, as in `x: number, note?: string`. The injected types need no import there.
 *
 * @throws JobError `invalid_argument` when the text is no parameter list
 */
export function parseParams(text: string): Signature {
  const scope = parseParamsScope(text);
  const run = scope.defaultExport?.node;
  if (run?.type !== "ArrowFunctionExpression" || run.body.type !== "BlockStatement") {
    throw paramsError(text, "it is not a list of parameters");
  }
  const types = new TypeReader(scope, { isAmbient: true });
  const parameters = new ParameterReader(types).read(run.params, {});
  return { parameters, resultCount: null, isTyped: true, warnings: types.warnings };
}

function parseParamsScope(text: string): ModuleScope {
  try {
    // The line break ends a comment at the end of the text.
    const scope = parseModule(`export default (${text}\n) => {};`);
    const isAlone = scope.values.size + scope.types.size + scope.imports.size === 0;
    if (isAlone) return scope;
  } catch (cause) {
    throw paramsError(text, "it is not a list of parameters", cause);
  }
  throw paramsError(text, "it is more than a list of parameters");
}

function paramsError(text: string, found: string, cause?: unknown): JobError {
  return new JobError("invalid_argument", `Cannot read params ${JSON.stringify(text)}: ${found}`, {
    hint: 'Write them as in TypeScript: "x: number, note?: string"',
    path: "params",
    cause,
  });
}

function withParams(scope: ModuleScope, job: JobExport, text: string): Signature {
  const signature = parseParams(text);
  if (job.run === null) return { ...signature, doc: job.doc };
  const types = new TypeReader(scope, { isAmbient: false });
  return { ...signature, ...resultOf(types, job.run, null), doc: job.doc };
}

function signatureOf(scope: ModuleScope, job: JobExport, run: FunctionNode): Signature {
  const types = new TypeReader(scope, { isAmbient: false, parameters: run.typeParameters });
  const declared = functionType(scope, job.annotation);
  const own = run.params as readonly Node[];
  const isOwn = declared === null || own.some(hasType);
  const params = isOwn ? own : (declared as { params: readonly Node[] }).params;
  const parameters = new ParameterReader(types).read(params, paramDocs(job.doc));
  const isTyped = params.length === 0 || params.some(hasType);
  if (!isTyped) types.unknown("No parameter has a type: arguments pass as given");
  const result = resultOf(types, run, declared);
  const warnings = isTyped ? types.warnings : types.warnings.slice(-1);
  return { parameters, ...result, doc: job.doc, isTyped, warnings };
}

function hasType(param: Node): boolean {
  if (param.type === "AssignmentPattern") return true;
  return annotationOf(param) !== null;
}

/** The function type of a constant, directly or by the name of an alias. */
function functionType(scope: ModuleScope, annotation: Node | null): Node | null {
  if (annotation?.type === "TSFunctionType") return annotation;
  if (annotation?.type !== "TSTypeReference") return null;
  const declaration = scope.types.get(nameOf(annotation.typeName as { type: string }));
  if (declaration?.type !== "alias") return null;
  const { typeAnnotation } = declaration.node;
  return typeAnnotation.type === "TSFunctionType" ? typeAnnotation : null;
}

function resultOf(
  types: TypeReader,
  run: FunctionNode,
  declared: Node | null,
): Pick<Signature, "resultCount" | "resultText"> {
  const holder = run.returnType ?? (declared as FunctionNode | null)?.returnType;
  if (holder?.type !== "TSTypeAnnotation") return { resultCount: null };
  const resultText = types.textOf(holder.typeAnnotation);
  const node = awaitedOf(holder.typeAnnotation);
  if (node.type === "TSVoidKeyword" || node.type === "TSNeverKeyword") {
    return { resultCount: 0, resultText };
  }
  // Types that only the result names are none that the caller has to know of.
  const quiet = new TypeReader(types.scope, { isAmbient: false });
  const shape = quiet.read(node);
  if (shape.type === "undefined") return { resultCount: 0, resultText };
  return { resultCount: shape.type === "tuple" ? shape.elements.length : 1, resultText };
}

/** The type inside `Promise<…>`. */
function awaitedOf(node: Node): Node {
  const isPromise = node.type === "TSTypeReference" && node.typeName.type === "Identifier" &&
    (node.typeName.name === "Promise" || node.typeName.name === "PromiseLike");
  const inner = isPromise ? node.typeArguments?.params[0] : undefined;
  return inner === undefined ? node : awaitedOf(inner);
}

/** What `@param name text` lines of a doc comment say, by name. */
function paramDocs(doc: string | undefined): Readonly<Record<string, string>> {
  const docs: [string, string][] = [];
  for (const match of (doc ?? "").matchAll(/^@param\s+(?:\{[^}]*\}\s*)?(\w+)\s*-?\s*(.*)$/gm)) {
    docs.push([match[1]!, match[2]!.trim()]);
  }
  return Object.fromEntries(docs);
}
