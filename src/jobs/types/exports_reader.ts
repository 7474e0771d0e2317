import type {
  ArrowFunctionExpression,
  FunctionDeclaration,
  FunctionExpression,
  Node,
} from "@babel/types";
import type { ObjectMethod } from "@babel/types";
import type { ModuleGraph } from "./module_graph.ts";
import { docBefore, type ModuleScope, nameOf } from "./parse_module.ts";

/** A function as the parser gives it. */
export type FunctionNode =
  | FunctionDeclaration
  | FunctionExpression
  | ArrowFunctionExpression
  | ObjectMethod;

/** One job of the default export. */
export interface JobExport {
  /** The module of the function, which may be another than the job's. */
  readonly scope: ModuleScope;
  /** The function that runs; null if it is not in the source. */
  readonly run: FunctionNode | null;
  /** The type declared for the constant that holds it. */
  readonly annotation: Node | null;
  /** The `params` text of a definition object; null if absent. */
  readonly params: string | null;
  readonly doc?: DocComment;
  /** Why `run` is null, and the place. */
  readonly problem?: { readonly message: string; readonly node: Node | null };
}

/** The text of a doc comment and the line that it begins on. */
export type DocComment = NonNullable<ReturnType<typeof docBefore>>;

/** The most names that are followed from the default export to the function. */
const STEPS_MAX = 20;

/** A value after names were followed and type assertions taken off. */
interface Found {
  readonly scope: ModuleScope;
  readonly node: Node | null;
  readonly annotation: Node | null;
  readonly doc?: DocComment;
  /** Why the node is null. */
  readonly problem?: string;
}

/**
 * Find the job `entry` in a module's default export: a function, a definition object,
 * `defineJob(…)`, a name for one of these, or an array of them. Names of modules imported by
 * relative path are followed too.
 *
 * @param entry the kind of the wanted job; only used for an array
 */
export function findJobExport(
  graph: ModuleGraph,
  module: ModuleScope,
  entry: string | null,
): JobExport {
  const finder = new ExportFinder(graph);
  const start = finder.start(module);
  if (start.node?.type !== "ArrayExpression") return finder.jobOf(start);
  for (const element of start.node.elements) {
    if (element === null || element.type === "SpreadElement") continue;
    const item = finder.follow(start.scope, element, docBefore(element));
    if (item.node?.type !== "ObjectExpression") continue;
    const kind = member(item.node, "kind");
    if (entry === null || (kind !== null && finder.textOf(item.scope, kind) === entry)) {
      return finder.jobOf(item);
    }
  }
  const problem = `Job "${entry}" is not found in the array of the default export`;
  return finder.jobOf({ scope: start.scope, node: null, annotation: null, problem });
}

class ExportFinder {
  readonly #graph: ModuleGraph;

  constructor(graph: ModuleGraph) {
    this.#graph = graph;
  }

  /** The value of the default export. */
  start(scope: ModuleScope): Found {
    const { defaultExport } = scope;
    if (defaultExport !== null) {
      return this.follow(scope, defaultExport.node, docBefore(defaultExport.statement));
    }
    const exported = scope.exports.get("default");
    if (exported === undefined) {
      const problem = "The module has no default export";
      return { scope, node: null, annotation: null, problem };
    }
    const found = this.#graph.findExport(scope, "default", "value");
    if (found.type === "value") {
      return this.follow(found.scope, found.value.node, docBefore(found.value.statement));
    }
    const from = "source" in exported ? exported.source : exported.local;
    const reason = found.type === "missing" ? found.problem : "it is not a function";
    const problem = `The default export is passed on from "${from}", which is not read: ${reason}`;
    return { scope, node: null, annotation: null, problem };
  }

  /** Follow names, assertions and `defineJob(…)` to the value itself. */
  follow(from: ModuleScope, start: Node, text?: DocComment): Found {
    let scope = from;
    let node = start;
    let annotation: Node | null = null;
    let doc = text;
    for (let step = 0; step < STEPS_MAX; step++) {
      switch (node.type) {
        case "TSAsExpression":
        case "TSSatisfiesExpression":
        case "TSNonNullExpression":
        case "ParenthesizedExpression":
          node = node.expression;
          continue;
        case "CallExpression": {
          const [only] = node.arguments;
          const isDefine = node.callee.type === "Identifier" && only !== undefined &&
            (scope.imports.get(node.callee.name)?.name ?? node.callee.name) === "defineJob";
          if (!isDefine) return { scope, node, annotation, doc };
          node = only;
          continue;
        }
        case "Identifier": {
          const found = this.#graph.findValue(scope, node.name);
          if (found?.type !== "value") {
            const problem = found?.type === "missing"
              ? `"${node.name}" is imported and not read: ${found.problem}`
              : undefined;
            return { scope, node: null, annotation, doc, problem };
          }
          scope = found.scope;
          node = found.value.node;
          annotation = found.value.annotation;
          doc ??= docBefore(found.value.statement);
          continue;
        }
      }
      return { scope, node, annotation, doc };
    }
    return { scope, node: null, annotation, doc };
  }

  jobOf(found: Found): JobExport {
    const { scope, node, annotation, doc } = found;
    const none = { scope, run: null, annotation: null, doc };
    if (isFunction(node)) return { scope, run: node, annotation, params: null, doc };
    if (node?.type !== "ObjectExpression") {
      const message = found.problem ??
        "The function of the job is not in its source as a plain function";
      return { ...none, params: null, problem: { message, node } };
    }
    const paramsNode = member(node, "params");
    const params = paramsNode === null ? null : this.textOf(scope, paramsNode);
    const run = member(node, "run");
    const value = run === null ? null : this.follow(scope, run, docBefore(run));
    if (value === null || !isFunction(value.node)) {
      const message = value?.problem ??
        'The function "run" of the job is not in its source as a plain function';
      return { ...none, params, problem: { message, node: run ?? node } };
    }
    return {
      scope: value.scope,
      run: value.node,
      annotation: value.annotation,
      params,
      doc: doc ?? value.doc,
    };
  }

  /** Text of a string literal or of a constant that holds one, null for anything else. */
  textOf(scope: ModuleScope, node: Node): string | null {
    const { node: value } = this.follow(scope, node);
    if (value?.type === "StringLiteral") return value.value;
    if (value?.type === "TemplateLiteral" && value.quasis.length === 1) {
      return value.quasis[0]!.value.cooked ?? null;
    }
    return null;
  }
}

function isFunction(node: Node | null): node is FunctionNode {
  return node?.type === "FunctionDeclaration" || node?.type === "FunctionExpression" ||
    node?.type === "ArrowFunctionExpression" || node?.type === "ObjectMethod";
}

/** The value of an object's member, or the method; null if there is no such name. */
function member(object: Node, name: string): Node | null {
  if (object.type !== "ObjectExpression") return null;
  for (const property of object.properties) {
    if (property.type === "SpreadElement" || property.computed) continue;
    if (nameOf(property.key as { type: string }) !== name) continue;
    // A getter is not the function that it returns.
    if (property.type === "ObjectMethod" && property.kind !== "method") return null;
    return property.type === "ObjectMethod" ? property : property.value;
  }
  return null;
}
