import type { Node } from "@babel/types";
import type { ParameterShape, TypeShape } from "../../core/arguments/signature.ts";
import { type DocTag, docTags, docType, isOptionalTag, membersType } from "./doc_types.ts";
import type { DocComment } from "./exports_reader.ts";
import { annotationOf, docOf } from "./parse_module.ts";
import type { TypePlace } from "./type_place.ts";
import type { TypeReader } from "./type_reader.ts";

/** Longest source text of a default value that is shown. */
const DEFAULT_LENGTH_MAX = 60;

type Argument = Extract<ParameterShape, { readonly role: "argument" }>;

/** Reads a function's parameters; types are from the source or, in JavaScript, its doc comment. */
export class ParameterReader {
  readonly #types: TypeReader;
  readonly #place: TypePlace;
  readonly #tags: readonly DocTag[];
  readonly #line: number;

  constructor(types: TypeReader, place: TypePlace, doc?: DocComment) {
    this.#types = types;
    this.#place = place;
    const names = new Set(["param", "arg", "argument"]);
    this.#tags = docTags(doc?.text ?? "").filter(({ tag }) => names.has(tag));
    this.#line = doc?.line ?? 1;
  }

  /** The parameters in order, without a `this` parameter. */
  read(params: readonly Node[]): ParameterShape[] {
    const shapes: ParameterShape[] = [];
    for (const param of params) {
      if (param.type === "Identifier" && param.name === "this") continue;
      shapes.push(...this.#parameters(param, shapes.length + 1));
    }
    return unique(shapes);
  }

  /** True if any parameter has a known type. */
  isTyped(param: Node, position: number): boolean {
    return param.type === "AssignmentPattern" || this.#annotationOf(param, position) !== null;
  }

  #parameters(param: Node, position: number): ParameterShape[] {
    const isRest = param.type === "RestElement";
    const hasDefault = param.type === "AssignmentPattern";
    const target = targetOf(param);
    const annotation = this.#annotationOf(param, position);
    const name = nameOfTarget(target, position, annotation);
    const inject = annotation === null || isRest
      ? null
      : this.#types.injectedOf(annotation, this.#place.scope);
    if (inject !== null) return [{ role: "injected", name, inject }];
    const tag = this.#tagOf(target, position);
    const doc = docOf(param) ?? (tag?.text || undefined);
    const shape = annotation === null
      ? this.#withoutType(hasDefault ? param.right : null, name, param)
      : this.#types.read(annotation, this.#place);
    const defaultText = hasDefault
      ? this.#types.textOf(param.right, this.#place.scope)
      : tag?.defaultText;
    const isPattern = target.type === "ObjectPattern" && hasMembers(shape);
    const argument: Argument = {
      role: "argument",
      name,
      shape: isRest && annotation !== null && this.#isElement(annotation, shape)
        ? { type: "array", element: shape }
        : shape,
      isOptional: isRest || hasDefault ||
        (target.type === "Identifier" && target.optional === true) ||
        (tag !== undefined && isOptionalTag(tag)),
      isRest,
      ...(isPattern ? { isPattern } : {}),
      ...(defaultText === undefined ? {} : { defaultText: cut(defaultText) }),
      ...(doc === undefined ? {} : { doc }),
    };
    return isRest ? spreadTuple(argument) : [argument];
  }

  /**
   * In a doc comment, `{...number}` is the type of each element, and so is `{number}` of a rest
   * parameter in JavaScript.
   */
  #isElement(annotation: Node, shape: TypeShape): boolean {
    const isDoc =
      (annotation.loc as { filename?: string } | null | undefined)?.filename !== undefined;
    return isDoc && shape.type !== "array";
  }

  #tagOf(target: Node, position: number): DocTag | undefined {
    const plain = this.#tags.filter(({ name }) => !name.includes("."));
    if (target.type === "Identifier") return plain.find(({ name }) => name === target.name);
    // A destructured parameter has no name, so its position must identify it.
    return plain[position - 1];
  }

  #annotationOf(param: Node, position: number): Node | null {
    const target = targetOf(param);
    const written = annotationOf(param) ?? annotationOf(target);
    if (written !== null || this.#place.scope.language === "ts") return written;
    const own = docTags(docOf(param) ?? "").find(({ tag }) => tag === "type");
    if (own !== undefined) return docType(own, param.loc?.start.line ?? 1);
    const tag = this.#tagOf(target, position);
    if (tag === undefined) return null;
    const members = this.#tags.filter(({ name }) => name.startsWith(`${tag.name}.`));
    return membersType(tag, members, this.#line) ?? docType(tag, this.#line);
  }

  /** A parameter without a type has its default's, as in TypeScript. */
  #withoutType(value: Node | null, name: string, param: Node): TypeShape {
    const { scope } = this.#place;
    const shape = value === null ? null : this.#types.values.ofDefault(value, scope);
    if (shape !== null) return shape;
    // Plain JavaScript has no types, and needs no warning.
    if (scope.language === "js") return { type: "unknown" };
    const problem = `Parameter "${name}" has no type and is taken as unknown`;
    return this.#types.unknown(problem, param, scope);
  }
}

/** A parameter without its dots and its default value. */
function targetOf(param: Node): Node {
  if (param.type === "RestElement") return param.argument;
  return param.type === "AssignmentPattern" ? param.left : param;
}

function cut(text: string): string {
  return text.length > DEFAULT_LENGTH_MAX ? `${text.slice(0, DEFAULT_LENGTH_MAX)}…` : text;
}

function hasMembers(shape: TypeShape): boolean {
  if (shape.type === "union") return shape.members.some(hasMembers);
  return shape.type === "ref" || (shape.type === "object" && shape.members.length > 0);
}

/** A destructured parameter is named after its type or its position. */
function nameOfTarget(node: Node, position: number, annotation: Node | null): string {
  if (node.type === "Identifier") return node.name;
  if (annotation?.type === "TSTypeReference" && annotation.typeName.type === "Identifier") {
    const { name } = annotation.typeName;
    return name.slice(0, 1).toLowerCase() + name.slice(1);
  }
  return node.type === "ObjectPattern" ? "options" : `argument${position}`;
}

/** `...args: [a: number, b?: string]` are separate parameters. */
function spreadTuple(rest: Argument): Argument[] {
  const { shape } = rest;
  if (shape.type !== "tuple") return [rest];
  const last = shape.elements.length - 1;
  if (shape.elements.some((element, index) => element.isRest && index < last)) return [rest];
  return shape.elements.map((element, index): Argument => ({
    role: "argument",
    name: element.name ?? `${rest.name}${index + 1}`,
    shape: element.isRest ? { type: "array", element: element.shape } : element.shape,
    isOptional: element.isOptional === true || element.isRest === true,
    isRest: element.isRest === true,
    ...(rest.doc === undefined ? {} : { doc: rest.doc }),
  }));
}

/** Number repeated names, so that each argument can be given by name. */
function unique(shapes: readonly ParameterShape[]): ParameterShape[] {
  const seen = new Set<string>();
  return shapes.map((shape) => {
    let { name } = shape;
    for (let count = 2; seen.has(name); count++) name = `${shape.name}${count}`;
    seen.add(name);
    return name === shape.name ? shape : { ...shape, name };
  });
}
