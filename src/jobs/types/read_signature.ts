import type { Node } from "@babel/types";
import { quoteValue } from "../../core/text/quote_value.ts";
import { JobError } from "../../core/errors.ts";
import { checkOptions, isOneOf, isText, type KeysOf } from "../../core/text/object_keys.ts";
import type { Signature, SignatureWarning, SourceOptions } from "../../core/arguments/signature.ts";
import { docTags, docType } from "./doc_types.ts";
import { findJobExport, type FunctionNode, type JobExport } from "./exports_reader.ts";
import { ModuleGraph } from "./module_graph.ts";
import { ParameterReader } from "./parameter_reader.ts";
import { annotationOf, type ModuleScope, parseModule } from "./parse_module.ts";
import { topOf, type TypePlace } from "./type_place.ts";
import { TypeReader } from "./type_reader.ts";

/** The signature of unknown parameters: arguments pass as given. */
export const UNTYPED_SIGNATURE: Signature = {
  parameters: [],
  resultCount: null,
  isTyped: false,
  warnings: [],
};

const SOURCE_KEYS: KeysOf<SourceOptions & { readonly entry?: string }> = {
  file: ["a path", isText],
  language: ['"ts" or "js"', isOneOf(["ts", "js"])],
  entry: ["a kind", (value) => value === null || isText(value)],
};

/**
 * Read the signature of a job from its module's source. Nothing is executed.
 *
 * With an absolute `file`, modules that it imports by relative path are read for types too.
 * docs/jobs.md lists the known types; any other is `unknown`, with a warning. A function without
 * any typed parameter is untyped: its arguments pass unchanged.
 *
 * @param options.entry the kind of the wanted job, for a module whose default export is an array
 * @throws JobError `invalid_argument` with `file:line:column` for a syntax error
 */
export function readSignature(
  source: string,
  options: SourceOptions & { readonly entry?: string } = {},
): Signature {
  if (!isText(source)) {
    throw new JobError("invalid_argument", `Cannot read a signature of ${quoteValue(source)}`, {
      path: "source",
      hint: "Give the text of a module; a function's types are not in it when it runs",
    });
  }
  checkOptions(options, SOURCE_KEYS, { failure: "Cannot read a signature" });
  const scope = parseModule(source, options);
  const graph = new ModuleGraph(scope);
  const job = findJobExport(graph, scope, options.entry ?? null);
  if (job.params !== null) return withParams(graph, job, job.params);
  if (job.run !== null) return signatureOf(graph, job, job.run);
  const { message = "No function found", node = null } = job.problem ?? {};
  const { line = 1, column = 0 } = node?.loc?.start ?? {};
  const warning = { message, file: job.scope.file ?? undefined, line, column: column + 1 };
  return { ...UNTYPED_SIGNATURE, doc: job.doc?.text, warnings: [warning] };
}

/**
 * Read parameters from text, as in `x: number, note?: string`. The types of the library need no
 * import there.
 *
 * @param returns type of the result, as in `[sum: number, at: Date]`; a tuple of two or more is
 * that many results
 * @throws JobError `invalid_argument` if the text is not a parameter list, or the other not a type
 */
export function parseParams(text: string, returns?: string): Signature {
  const scope = parseParamsScope(text);
  const run = scope.defaultExport?.node;
  if (run?.type !== "ArrowFunctionExpression" || run.body.type !== "BlockStatement") {
    throw paramsError(text, "it is not a list of parameters");
  }
  const types = new TypeReader({ isAmbient: true });
  const parameters = new ParameterReader(types, topOf(scope)).read(run.params);
  return {
    parameters,
    ...(returns === undefined ? { resultCount: null } : resultOfText(types, returns)),
    isTyped: true,
    ...definitionsOf(types),
    warnings: types.warnings,
  };
}

function resultOfText(types: TypeReader, text: string): ReturnType<typeof resultOf> {
  const refuse = (cause?: unknown) =>
    new JobError(
      "invalid_argument",
      `Cannot read returns ${JSON.stringify(text)}: it is not a type`,
      {
        hint: 'Write it as in TypeScript: "number", or "[sum: number, product: number]"',
        path: "returns",
        cause,
      },
    );
  let scope: ModuleScope;
  try {
    scope = parseModule(`export default (): ${text} => {};`);
  } catch (cause) {
    throw refuse(cause);
  }
  const run = scope.defaultExport?.node;
  const isAlone = scope.values.size + scope.types.size + scope.imports.size === 0;
  const isType = run?.type === "ArrowFunctionExpression" && run.body.type === "BlockStatement";
  if (!isAlone || !isType) throw refuse();
  const result = resultOf(types, topOf(scope), { run, doc: undefined, scope }, null);
  if (result.resultCount !== 0 && result.result === undefined) throw refuse();
  return result;
}

function definitionsOf(types: TypeReader): Pick<Signature, "definitions"> {
  const { definitions } = types;
  return definitions === undefined ? {} : { definitions };
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

function withParams(graph: ModuleGraph, job: JobExport, text: string): Signature {
  const signature = parseParams(text);
  if (job.run === null) return { ...signature, doc: job.doc?.text };
  const types = new TypeReader({ isAmbient: false, graph });
  const { result: _result, ...told } = resultOf(types, topOf(job.scope), job, null);
  return { ...signature, ...told, doc: job.doc?.text };
}

function signatureOf(graph: ModuleGraph, job: JobExport, run: FunctionNode): Signature {
  const { scope, doc } = job;
  const types = new TypeReader({ isAmbient: false, graph });
  const inner = types.placeIn(run, scope);
  const own = run.params as readonly Node[];
  const declared = own.some((param) => annotationOf(param) !== null)
    ? null
    : functionType(graph, job);
  const place = { ...inner, scope: declared?.scope ?? scope };
  const params = declared?.params ?? own;
  const reader = new ParameterReader(types, place, doc);
  const parameters = reader.read(params);
  const isTyped = params.length === 0 ||
    params.some((param, index) => reader.isTyped(param, index + 1));
  const result = resultOf(types, place, job, declared?.result ?? null);
  return {
    parameters,
    ...result,
    doc: doc?.text,
    isTyped,
    ...definitionsOf(types),
    warnings: isTyped ? types.warnings : untyped(run, scope),
  };
}

function untyped(run: FunctionNode, scope: ModuleScope): readonly SignatureWarning[] {
  // In plain JavaScript that is the intended type.
  if (scope.language === "js") return [];
  const { line = 1, column = 0 } = run.loc?.start ?? {};
  const message = "No parameter has a type: arguments pass as given";
  return [{ message, file: scope.file ?? undefined, line, column: column + 1 }];
}

/** A function type: its parameters and its result, in the module that declares it. */
interface DeclaredFunction {
  readonly scope: ModuleScope;
  readonly params: readonly Node[];
  readonly result: Node | null;
}

/** The function type of a constant, directly or by an alias; in JavaScript, its `@type`. */
function functionType(
  graph: ModuleGraph,
  { scope, annotation, doc }: JobExport,
): DeclaredFunction | null {
  const tag = scope.language === "js"
    ? docTags(doc?.text ?? "").find((each) => each.tag === "type")
    : undefined;
  const node = tag === undefined ? annotation : docType(tag, doc?.line ?? 1);
  if (node?.type === "TSFunctionType") return declaredFunction(scope, node);
  if (node?.type !== "TSTypeReference" || node.typeName.type !== "Identifier") return null;
  const found = graph.findType(scope, node.typeName.name);
  if (found?.type !== "type" || found.declaration.type !== "alias") return null;
  const { typeAnnotation } = found.declaration.node;
  return typeAnnotation.type === "TSFunctionType"
    ? declaredFunction(found.scope, typeAnnotation)
    : null;
}

function declaredFunction(scope: ModuleScope, node: Node): DeclaredFunction {
  const { params, returnType } = node as unknown as {
    readonly params: readonly Node[];
    readonly returnType?: Node | null;
  };
  return { scope, params, result: typeOf(returnType) };
}

function typeOf(holder: Node | null | undefined): Node | null {
  return holder?.type === "TSTypeAnnotation" ? holder.typeAnnotation : null;
}

function resultOf(
  types: TypeReader,
  place: TypePlace,
  { run, doc, scope }: Pick<JobExport, "run" | "doc" | "scope">,
  declared: Node | null,
): Pick<Signature, "resultCount" | "resultText" | "result"> {
  const tag = scope.language === "js"
    ? docTags(doc?.text ?? "").find((each) => /^returns?$/.test(each.tag))
    : undefined;
  const own = typeOf(run?.returnType) ?? (tag === undefined ? null : docType(tag, doc?.line ?? 1));
  const holder = own ?? declared;
  if (holder === null) return { resultCount: null };
  const at = own === null ? place : { ...place, scope };
  const resultText = types.textOf(holder, at.scope);
  const node = awaitedOf(holder);
  if (node.type === "TSVoidKeyword" || node.type === "TSNeverKeyword") {
    return { resultCount: 0, resultText };
  }
  // Callers do not need types that only the result names.
  const known = types.warnings.length;
  const shape = types.read(node, at);
  const isRead = types.warnings.length === known;
  types.warnings.length = known;
  if (shape.type === "undefined") return { resultCount: 0, resultText };
  const resultCount = shape.type === "tuple" ? shape.elements.length : 1;
  return isRead ? { resultCount, resultText, result: shape } : { resultCount, resultText };
}

/** The type inside `Promise<…>`. */
function awaitedOf(node: Node): Node {
  const isPromise = node.type === "TSTypeReference" && node.typeName.type === "Identifier" &&
    (node.typeName.name === "Promise" || node.typeName.name === "PromiseLike");
  const inner = isPromise ? node.typeArguments?.params[0] : undefined;
  return inner === undefined ? node : awaitedOf(inner);
}
