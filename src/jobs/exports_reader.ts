import type {
  ArrowFunctionExpression,
  FunctionDeclaration,
  FunctionExpression,
  Node,
} from "@babel/types";
import type { ObjectMethod } from "@babel/types";
import { docOf, type ModuleScope, nameOf } from "./parse_module.ts";

/** A function as the parser gives it. */
export type FunctionNode =
  | FunctionDeclaration
  | FunctionExpression
  | ArrowFunctionExpression
  | ObjectMethod;

/** What the default export says of one job. */
export interface JobExport {
  /** The function that runs, null when it cannot be found in the source. */
  readonly run: FunctionNode | null;
  /** The type declared for the constant that holds it. */
  readonly annotation: Node | null;
  /** The `params` text of a definition object, null when it has none. */
  readonly params: string | null;
  readonly doc?: string;
  /** Why `run` is null. */
  readonly problem?: string;
}

/** How many names are followed from the default export to the function. */
const STEPS_MAX = 20;

/** A value after names were followed and type assertions taken off. */
interface Found {
  readonly node: Node | null;
  readonly annotation: Node | null;
  readonly doc?: string;
}

/**
 * Find the job `entry` in a module's default export: a function, a definition object, `defineJob(…)`, a name for one of
 * these, or an array of them.
 *
 * @param entry the kind of the wanted job; it matters for an array only
 */
export function findJobExport(scope: ModuleScope, entry: string | null): JobExport {
  const { defaultExport } = scope;
  if (defaultExport === null) {
    return notFound(
      scope.defaultFrom === null
        ? "The module has no default export"
        : `The default export is passed on from "${scope.defaultFrom}": only this file is read`,
    );
  }
  const found = follow(scope, defaultExport.node, null, docOf(defaultExport.statement));
  if (found.node?.type !== "ArrayExpression") return jobOf(scope, found);
  for (const element of found.node.elements) {
    if (element === null || element.type === "SpreadElement") continue;
    const item = follow(scope, element, null, docOf(element));
    if (item.node?.type !== "ObjectExpression") continue;
    const kind = member(item.node, "kind");
    if (entry === null || (kind !== null && textOf(scope, kind) === entry)) {
      return jobOf(scope, item);
    }
  }
  return notFound(`Job "${entry}" is not found in the array of the default export`);
}

function notFound(problem: string): JobExport {
  return { run: null, annotation: null, params: null, problem };
}

/** Follow names, assertions and `defineJob(…)` to the value itself. */
function follow(scope: ModuleScope, start: Node, type: Node | null, text?: string): Found {
  let node = start;
  let annotation = type;
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
        if (!isDefine) return { node, annotation, doc };
        node = only;
        continue;
      }
      case "Identifier": {
        const value = scope.values.get(node.name);
        if (value === undefined) return { node: null, annotation, doc };
        node = value.node;
        annotation = value.annotation;
        doc ??= docOf(value.statement);
        continue;
      }
    }
    return { node, annotation, doc };
  }
  return { node: null, annotation, doc };
}

function isFunction(node: Node | null): node is FunctionNode {
  return node?.type === "FunctionDeclaration" || node?.type === "FunctionExpression" ||
    node?.type === "ArrowFunctionExpression" || node?.type === "ObjectMethod";
}

function jobOf(scope: ModuleScope, found: Found): JobExport {
  const { node, annotation, doc } = found;
  if (isFunction(node)) return { run: node, annotation, params: null, doc };
  if (node?.type !== "ObjectExpression") {
    return { ...notFound("The function of the job is not in this file as a plain function"), doc };
  }
  const paramsNode = member(node, "params");
  const params = paramsNode === null ? null : textOf(scope, paramsNode);
  const run = member(node, "run");
  const value = run === null ? null : follow(scope, run, null, docOf(run));
  if (value === null || !isFunction(value.node)) {
    const problem = 'The function "run" of the job is not in this file as a plain function';
    return { ...notFound(problem), params, doc };
  }
  return { run: value.node, annotation: value.annotation, params, doc: doc ?? value.doc };
}

/** The value of an object's member, or the method itself; null when the object has none of that name. */
function member(object: Node, name: string): Node | null {
  if (object.type !== "ObjectExpression") return null;
  for (const property of object.properties) {
    if (property.type === "SpreadElement" || property.computed) continue;
    if (nameOf(property.key as { type: string }) !== name) continue;
    return property.type === "ObjectMethod" ? property : property.value;
  }
  return null;
}

/** Text of a string literal or of a constant that holds one, null for anything else. */
function textOf(scope: ModuleScope, node: Node): string | null {
  const { node: value } = follow(scope, node, null);
  if (value?.type === "StringLiteral") return value.value;
  if (value?.type === "TemplateLiteral" && value.quasis.length === 1) {
    return value.quasis[0]!.value.cooked ?? null;
  }
  return null;
}
