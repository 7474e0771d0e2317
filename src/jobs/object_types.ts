import type {
  Node,
  TSEnumDeclaration,
  TSIndexedAccessType,
  TSInterfaceDeclaration,
  TSIntersectionType,
} from "@babel/types";
import type { MemberShape, TypeShape } from "../core/signature.ts";
import { annotationOf, docOf, nameOf } from "./parse_module.ts";
import { literalOf, unionOf } from "./shapes.ts";
import type { TypeArguments, TypeReader } from "./type_reader.ts";

type ObjectShape = TypeShape & { readonly type: "object" };

/** Reads types that have members: literals, interfaces, enums, intersections and TypeScript's utility types. */
export class ObjectTypes {
  readonly #reader: TypeReader;

  constructor(reader: TypeReader) {
    this.#reader = reader;
  }

  /** `{ a: number; b?: string }`, or a record for a lone index signature. */
  literal(nodes: readonly Node[], args: TypeArguments, depth: number): TypeShape {
    const [only] = nodes;
    if (nodes.length === 1 && only?.type === "TSIndexSignature") {
      const value = annotationOf(only);
      return {
        type: "record",
        value: value === null ? { type: "unknown" } : this.#reader.read(value, args, depth),
      };
    }
    return { type: "object", members: this.#members(nodes, args, depth) };
  }

  #members(nodes: readonly Node[], args: TypeArguments, depth: number): MemberShape[] {
    const members: MemberShape[] = [];
    for (const node of nodes) {
      // Members beyond the named ones are kept anyway, so an index signature adds nothing.
      if (node.type === "TSIndexSignature") continue;
      if (node.type !== "TSPropertySignature" || node.computed) {
        this.#reader.unknown(
          `Member "${this.#reader.textOf(node)}" is a function or computed and not checked`,
        );
        continue;
      }
      const annotation = annotationOf(node);
      members.push({
        name: nameOf(node.key as { type: string }),
        shape: annotation === null
          ? { type: "unknown" }
          : this.#reader.read(annotation, args, depth),
        isOptional: node.optional === true,
        doc: docOf(node),
      });
    }
    return members;
  }

  /** An interface, its base interfaces first; parts of one name add up. */
  interface(
    name: string,
    parts: readonly TSInterfaceDeclaration[],
    given: readonly TypeShape[],
    depth: number,
  ): TypeShape {
    const members = new Map<string, MemberShape>();
    const add = (added: readonly MemberShape[]) => {
      for (const member of added) members.set(member.name, member);
    };
    for (const part of parts) {
      const args = this.#reader.bind(part.typeParameters ?? null, given, depth);
      for (const base of part.extends ?? []) add(this.#baseMembers(base, args, depth));
      const [only] = part.body.body;
      const isRecord = part.body.body.length === 1 && only?.type === "TSIndexSignature" &&
        parts.length === 1 && members.size === 0;
      if (isRecord) return this.literal(part.body.body, args, depth);
      add(this.#members(part.body.body, args, depth));
    }
    const shape: ObjectShape = { type: "object", members: [...members.values()] };
    return given.length === 0 ? { ...shape, name } : shape;
  }

  #baseMembers(base: Node, args: TypeArguments, depth: number): readonly MemberShape[] {
    const heritage = base as unknown as {
      readonly expression: { readonly type: string };
      readonly typeArguments?: Node | null;
    };
    if (heritage.expression.type !== "Identifier") {
      this.#reader.unknown(`Members of "${this.#reader.textOf(base)}" are not checked`);
      return [];
    }
    const reference = {
      ...base,
      type: "TSTypeReference",
      typeName: heritage.expression,
      typeArguments: heritage.typeArguments,
    };
    const shape = this.#reader.read(reference as unknown as Node, args, depth);
    return shape.type === "object" ? shape.members : [];
  }

  /** `A & B` of object types: the members of all. */
  intersection(node: TSIntersectionType, args: TypeArguments, depth: number): TypeShape {
    const shapes = node.types.map((type) => this.#reader.read(type, args, depth));
    if (!shapes.every((shape) => shape.type === "object")) {
      return this.#reader.unknown(`Type "${this.#reader.textOf(node)}" is taken as unknown`);
    }
    const members = new Map<string, MemberShape>();
    for (const shape of shapes) {
      for (const member of shape.members) {
        const earlier = members.get(member.name);
        const isOptional = member.isOptional && (earlier?.isOptional ?? true);
        members.set(member.name, { ...member, isOptional });
      }
    }
    return { type: "object", members: [...members.values()] };
  }

  /** `Order["id"]`, null when it is anything else. */
  indexed(node: TSIndexedAccessType, args: TypeArguments, depth: number): TypeShape | null {
    if (node.indexType.type !== "TSLiteralType") return null;
    const key = literalOf(node.indexType.literal);
    const shape = this.#reader.read(node.objectType, args, depth);
    if (shape.type !== "object" || key?.type !== "literal") return null;
    const member = shape.members.find((each) => each.name === key.value);
    if (member === undefined) return null;
    return member.isOptional ? unionOf([member.shape, { type: "undefined" }]) : member.shape;
  }

  /** A union of the values of an enum's members, null when one is computed. */
  enumeration(node: TSEnumDeclaration): TypeShape | null {
    const values: TypeShape[] = [];
    let next: number | null = 0;
    for (const member of node.body!.members) {
      const literal: TypeShape | null = member.initializer
        ? literalOf(member.initializer)
        : next === null
        ? null
        : { type: "literal", value: next };
      if (literal?.type !== "literal") return null;
      values.push(literal);
      next = typeof literal.value === "number" ? literal.value + 1 : null;
    }
    return unionOf(values);
  }

  /** TypeScript's own helpers on object types, null when `name` is none of them or does not apply. */
  utility(name: string, params: readonly (() => TypeShape)[]): TypeShape | null {
    const [first, second] = params;
    if (first === undefined) return null;
    switch (name) {
      case "Record":
        return second === undefined ? null : recordOf(first(), second());
      case "Readonly":
        return first();
      case "NonNullable": {
        const shape = first();
        if (shape.type !== "union") return shape;
        const isValue = (each: TypeShape) => each.type !== "null" && each.type !== "undefined";
        return unionOf(shape.members.filter(isValue));
      }
      case "Partial":
      case "Required": {
        const shape = first();
        if (shape.type !== "object") return null;
        const isOptional = name === "Partial";
        return {
          type: "object",
          members: shape.members.map((member) => ({ ...member, isOptional })),
        };
      }
      case "Pick":
      case "Omit": {
        const shape = first();
        const keys = second === undefined ? null : keysOf(second());
        if (shape.type !== "object" || keys === null) return null;
        const members = shape.members.filter((member) =>
          keys.includes(member.name) === (name === "Pick")
        );
        return { type: "object", members };
      }
    }
    return null;
  }
}

function recordOf(key: TypeShape, value: TypeShape): TypeShape | null {
  if (key.type === "string" || key.type === "number") return { type: "record", value };
  const keys = keysOf(key);
  if (keys === null) return null;
  const members = keys.map((name) => ({ name, shape: value, isOptional: false }));
  return { type: "object", members };
}

/** The names that a literal or a union of literals lists, null for any other type. */
function keysOf(shape: TypeShape): readonly string[] | null {
  const members = shape.type === "union" ? shape.members : [shape];
  const keys: string[] = [];
  for (const member of members) {
    if (member.type !== "literal") return null;
    keys.push(String(member.value));
  }
  return keys;
}
