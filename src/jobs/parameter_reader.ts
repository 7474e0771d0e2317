import type { Node } from "@babel/types";
import type { ParameterShape, TypeShape } from "../core/signature.ts";
import { annotationOf, docOf } from "./parse_module.ts";
import { literalOf } from "./shapes.ts";
import type { TypeReader } from "./type_reader.ts";

/** Longest source text of a default value that is shown. */
const DEFAULT_LENGTH_MAX = 60;

/** Reads the parameters of a function. */
export class ParameterReader {
  readonly #types: TypeReader;

  constructor(types: TypeReader) {
    this.#types = types;
  }

  /** The parameters in order; a `this` parameter is none. */
  read(params: readonly Node[], docs: Readonly<Record<string, string>>): ParameterShape[] {
    const shapes: ParameterShape[] = [];
    for (const param of params) {
      if (param.type === "Identifier" && param.name === "this") continue;
      const shape = this.#parameter(param, shapes.length + 1);
      const doc = docOf(param) ?? (Object.hasOwn(docs, shape.name) ? docs[shape.name] : undefined);
      shapes.push(shape.role === "argument" && doc !== undefined ? { ...shape, doc } : shape);
    }
    return unique(shapes);
  }

  #parameter(param: Node, position: number): ParameterShape {
    if (param.type === "AssignmentPattern") {
      const annotation = annotationOf(param.left);
      const name = this.#nameOf(param.left, position);
      const inject = annotation === null ? null : this.#types.injectedOf(annotation);
      if (inject !== null) return { role: "injected", name, inject };
      const defaultText = this.#types.textOf(param.right);
      return {
        role: "argument",
        name,
        shape: annotation === null
          ? this.#shapeOfDefault(param.right, name)
          : this.#types.read(annotation),
        isOptional: true,
        isRest: false,
        defaultText: defaultText.length > DEFAULT_LENGTH_MAX
          ? `${defaultText.slice(0, DEFAULT_LENGTH_MAX)}…`
          : defaultText,
      };
    }
    const isRest = param.type === "RestElement";
    const target = isRest ? param.argument : param;
    const annotation = annotationOf(param) ?? annotationOf(target);
    const name = this.#nameOf(target, position, annotation);
    const inject = annotation === null || isRest ? null : this.#types.injectedOf(annotation);
    if (inject !== null) return { role: "injected", name, inject };
    return {
      role: "argument",
      name,
      shape: annotation === null ? this.#noType(name) : this.#types.read(annotation),
      isOptional: isRest || (target.type === "Identifier" && target.optional === true),
      isRest,
    };
  }

  #noType(name: string): TypeShape {
    return this.#types.unknown(`Parameter "${name}" has no type and is taken as unknown`);
  }

  /** A parameter without a type has its default's, as in TypeScript. */
  #shapeOfDefault(value: Node, name: string): TypeShape {
    const literal = literalOf(value);
    if (literal?.type === "literal") {
      return { type: typeof literal.value as "string" | "number" | "boolean" };
    }
    if (value.type === "TemplateLiteral") return { type: "string" };
    const isDate = value.type === "NewExpression" && value.callee.type === "Identifier" &&
      value.callee.name === "Date";
    return isDate ? { type: "date" } : this.#noType(name);
  }

  /** A destructured parameter has the name of its type, else one by its position. */
  #nameOf(node: Node, position: number, annotation = annotationOf(node)): string {
    if (node.type === "Identifier") return node.name;
    if (annotation?.type === "TSTypeReference" && annotation.typeName.type === "Identifier") {
      const { name } = annotation.typeName;
      return name.slice(0, 1).toLowerCase() + name.slice(1);
    }
    return `argument${position}`;
  }
}

/** Number the names that stand twice: by name each argument must be reachable. */
function unique(shapes: readonly ParameterShape[]): ParameterShape[] {
  const seen = new Set<string>();
  return shapes.map((shape) => {
    let { name } = shape;
    for (let count = 2; seen.has(name); count++) name = `${shape.name}${count}`;
    seen.add(name);
    return name === shape.name ? shape : { ...shape, name };
  });
}
