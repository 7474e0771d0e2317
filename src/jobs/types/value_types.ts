import type {
  Expression,
  Node,
  ObjectExpression,
  TSEntityName,
  TSEnumDeclaration,
  TSQualifiedName,
} from "@babel/types";
import type { EnumMember, MemberShape, TypeShape } from "../../core/arguments/signature.ts";
import { constantOf, type Constants } from "./constants.ts";
import type { FoundName } from "./module_graph.ts";
import { docOf, type ModuleScope, nameOf } from "./parse_module.ts";
import { literalOf, unionOf, UNKNOWN, widen } from "./shapes.ts";
import { type PartReader, topOf } from "./type_place.ts";
import { builtInType } from "./utility_types.ts";

const DEPTH_MAX = 20;

type Value = Extract<FoundName, { readonly type: "value" | "type" }>;

/** The context of a value. */
interface ValuePlace {
  readonly scope: ModuleScope;
  /** True within `as const`. */
  readonly isConst: boolean;
  /** The number of values around it. */
  readonly depth: number;
}

/** Reads the types of values: `typeof X`, members of enums, and parameters with a default value. */
export class ValueTypes {
  readonly #reader: PartReader;

  constructor(reader: PartReader) {
    this.#reader = reader;
  }

  /** `typeof NAME` or `typeof NAME.member`; null if it is unknown. */
  query(name: TSEntityName, scope: ModuleScope, depth: number): TypeShape | null {
    return depth > DEPTH_MAX ? null : this.#entity(name, scope, depth + 1);
  }

  #entity(name: TSEntityName, scope: ModuleScope, depth: number): TypeShape | null {
    if (name.type === "ThisExpression") return null;
    if (name.type === "Identifier") {
      const found = this.#reader.graph.findValue(scope, name.name);
      return found?.type === "value" || found?.type === "type" ? this.#named(found, depth) : null;
    }
    if (name.left.type === "Identifier") {
      const left = this.#reader.graph.findValue(scope, name.left.name);
      if (left?.type === "namespace") {
        const found = this.#reader.graph.findExport(left.scope, name.right.name, "value");
        return found.type === "value" || found.type === "type" ? this.#named(found, depth) : null;
      }
    }
    const object = this.#entity(name.left, scope, depth);
    if (object?.type !== "object") return null;
    return object.members.find((member) => member.name === name.right.name)?.shape ?? null;
  }

  #named(found: Value, depth: number): TypeShape | null {
    if (found.type === "type") {
      if (found.declaration.type !== "enum") return null;
      const members = this.#enumMembers(found.declaration.node, found.scope);
      return members === null ? null : {
        type: "object",
        members: members.map(({ name, value }): MemberShape => ({
          name,
          shape: { type: "literal", value },
          isOptional: false,
        })),
      };
    }
    const { scope, value } = found;
    if (value.annotation) {
      return this.#reader.read(value.annotation, { ...topOf(scope), depth });
    }
    const shape = this.#shapeOf(value.node, { scope, isConst: false, depth });
    // `const LIMIT = 5` has the type 5.
    return literalOf(value.node) ?? shape;
  }

  /** `Color.Red` as a type: the value of an enum's member, null for anything else. */
  member(name: TSQualifiedName, scope: ModuleScope, depth: number): TypeShape | null {
    const shape = this.#entity(name, scope, depth);
    return shape?.type === "literal" ? shape : null;
  }

  /** The type of a parameter by its default value; null without a default. */
  ofDefault(node: Node, scope: ModuleScope): TypeShape | null {
    const shape = this.#shapeOf(node, { scope, isConst: false, depth: 0 });
    return shape === null || shape.type === "null" || shape.type === "undefined" ? null : shape;
  }

  #shapeOf(node: Node, at: ValuePlace): TypeShape | null {
    if (at.depth > DEPTH_MAX) return null;
    const { scope } = at;
    const next = { ...at, depth: at.depth + 1 };
    const literal = literalOf(node);
    if (literal !== null) return at.isConst ? literal : widen(literal);
    switch (node.type) {
      case "TSAsExpression": {
        const type = node.typeAnnotation;
        const isConst = type.type === "TSTypeReference" && type.typeName.type === "Identifier" &&
          type.typeName.name === "const";
        if (isConst) return this.#shapeOf(node.expression, { ...next, isConst });
        return this.#reader.read(type, { ...topOf(scope), depth: next.depth });
      }
      case "TSSatisfiesExpression":
      case "TSNonNullExpression":
      case "ParenthesizedExpression":
        return this.#shapeOf(node.expression, next);
      case "TemplateLiteral":
        return { type: "string" };
      case "NullLiteral":
        return { type: "null" };
      case "BigIntLiteral":
        return { type: "bigint" };
      case "ObjectExpression":
        return this.#object(node, next);
      case "ArrayExpression": {
        const shapes = node.elements.map((element) =>
          (element && this.#shapeOf(element, next)) ?? UNKNOWN
        );
        if (at.isConst) return { type: "tuple", elements: shapes.map((shape) => ({ shape })) };
        return { type: "array", element: shapes.length === 0 ? UNKNOWN : unionOf(shapes) };
      }
      case "Identifier": {
        if (node.name === "undefined") return { type: "undefined" };
        const shape = this.#entity(node, scope, next.depth);
        return shape !== null && !at.isConst ? widen(shape) : shape;
      }
      case "MemberExpression":
        return this.#memberOf(node, at);
      case "NewExpression":
        return this.#made(node.callee);
    }
    return null;
  }

  #object(node: ObjectExpression, at: ValuePlace): TypeShape | null {
    const members = new Map<string, MemberShape>();
    for (const property of node.properties) {
      if (property.type === "SpreadElement") {
        const spread = this.#shapeOf(property.argument, at);
        if (spread?.type !== "object") return null;
        for (const member of spread.members) members.set(member.name, member);
        continue;
      }
      if (property.computed) return null;
      const name = nameOf(property.key as { type: string });
      const value = property.type === "ObjectProperty"
        ? this.#shapeOf(property.value as Expression, at)
        : null;
      members.set(name, { name, shape: value ?? UNKNOWN, isOptional: false, doc: docOf(property) });
    }
    return { type: "object", members: [...members.values()] };
  }

  /** `Color.Red` as a value: the enum itself, since a parameter takes its other members too. */
  #memberOf(
    node: Node & { readonly type: "MemberExpression" },
    { scope, isConst, depth }: ValuePlace,
  ): TypeShape | null {
    if (node.object.type !== "Identifier" || node.computed) return null;
    const found = this.#reader.graph.findValue(scope, node.object.name);
    if (found?.type === "type" && found.declaration.type === "enum" && !isConst) {
      return this.enumeration(found.declaration.node, found.scope);
    }
    const object = this.#entity(node.object, scope, depth + 1);
    if (object?.type !== "object") return null;
    const name = nameOf(node.property as { type: string });
    const shape = object.members.find((member) => member.name === name)?.shape ?? null;
    return shape !== null && !isConst ? widen(shape) : shape;
  }

  #made(callee: Node): TypeShape | null {
    const name = callee.type === "Identifier" ? callee.name : "";
    // `new Array(3)` does not reveal its element type.
    return name === "Array" ? null : builtInType(name, () => UNKNOWN);
  }

  /** An enum with the values of its members; null if one is unknown. */
  enumeration(node: TSEnumDeclaration, scope: ModuleScope): TypeShape | null {
    const members = this.#enumMembers(node, scope);
    return members === null ? null : { type: "enum", name: node.id.name, members };
  }

  #enumMembers(node: TSEnumDeclaration, scope: ModuleScope): readonly EnumMember[] | null {
    const members = new Map<string, EnumMember>();
    const constants: Constants = (name) => {
      const own = members.get(name);
      if (own !== undefined) return own.value;
      const found = this.#reader.graph.findValue(scope, name);
      const literal = found?.type === "value" ? literalOf(found.value.node) : null;
      return literal?.type === "literal" && typeof literal.value !== "boolean"
        ? literal.value
        : null;
    };
    let next: number | null = 0;
    for (const member of node.body.members) {
      const name = nameOf(member.id as { type: string });
      const value: string | number | null = member.initializer
        ? constantOf(member.initializer, constants, node.id.name)
        : next;
      if (value === null) return null;
      members.set(name, { name, value });
      next = typeof value === "number" ? value + 1 : null;
    }
    return [...members.values()];
  }
}
