import type { Node, TSInterfaceDeclaration, TSMappedType } from "@babel/types";
import type { MemberShape, TypeShape } from "../../core/arguments/signature.ts";
import type { FoundName } from "./module_graph.ts";
import { annotationOf, docOf, nameOf } from "./parse_module.ts";
import { isPrimitive, keysOf, recordOf, unionOf, UNKNOWN } from "./shapes.ts";
import { type PartReader, topOf, type TypePlace } from "./type_place.ts";

type ObjectShape = Extract<TypeShape, { readonly type: "object" }>;
type TypeName = Extract<FoundName, { readonly type: "type" }>;

/** Reads types that have members: literals, interfaces, aliases, enums and mapped types. */
export class ObjectTypes {
  readonly #reader: PartReader;

  constructor(reader: PartReader) {
    this.#reader = reader;
  }

  /** `{ a: number; b?: string }`, or a record for a lone index signature. */
  literal(nodes: readonly Node[], place: TypePlace): TypeShape {
    return this.#reader.nested(() => {
      const members = this.#members(nodes, place);
      const index = this.#index(nodes, place);
      if (index === null) return { type: "object", members };
      return members.length === 0 ? index : { type: "object", members, rest: index.value };
    });
  }

  #index(nodes: readonly Node[], place: TypePlace) {
    const values: TypeShape[] = [];
    const keys: TypeShape[] = [];
    for (const node of nodes) {
      if (node.type !== "TSIndexSignature") continue;
      const value = annotationOf(node);
      values.push(value === null ? UNKNOWN : this.#reader.read(value, place));
      const [parameter] = node.parameters;
      const key = parameter === undefined ? null : annotationOf(parameter);
      keys.push(key === null ? UNKNOWN : this.#reader.read(key, place));
    }
    if (values.length === 0) return null;
    const isNumbers = keys.every((key) => key.type === "number");
    return {
      type: "record" as const,
      ...(isNumbers ? { key: keys[0]! } : {}),
      value: unionOf(values),
    };
  }

  #members(nodes: readonly Node[], place: TypePlace): MemberShape[] {
    const members: MemberShape[] = [];
    for (const node of nodes) {
      if (node.type === "TSIndexSignature") continue;
      const isPlain = node.type === "TSPropertySignature" && !node.computed;
      const annotation = annotationOf(node);
      if (!isPlain || annotation?.type === "TSFunctionType") {
        const text = this.#reader.textOf(node, place.scope);
        this.#reader.unknown(
          `Member "${text}" is a function or computed and not checked`,
          node,
          place.scope,
        );
        continue;
      }
      members.push({
        name: nameOf(node.key as { type: string }),
        shape: annotation === null ? UNKNOWN : this.#reader.read(annotation, place),
        isOptional: node.optional === true,
        doc: docOf(node),
      });
    }
    return members;
  }

  /** `{ [K in Keys]?: T[K] }`; null if the keys are unknown. */
  mapped(node: TSMappedType, place: TypePlace): TypeShape | null {
    if (node.nameType || !node.typeAnnotation) return null;
    const reader = this.#reader;
    const { constraint } = node;
    const source = constraint.type === "TSTypeOperator" && constraint.operator === "keyof"
      ? reader.expand(reader.read(constraint.typeAnnotation, place))
      : null;
    // A mapped type of a type without members equals that type.
    if (source !== null && hasNoMembers(source)) return source;
    const key = source?.type === "array"
      ? { type: "number" } as const
      : reader.read(constraint, place);
    const name = nameOf(node.key as unknown as { type: string });
    const valueOf = (shape: TypeShape) => {
      const args = new Map(place.args).set(name, shape);
      return reader.nested(() => reader.read(node.typeAnnotation!, { ...place, args }));
    };
    if (source?.type === "array") return { type: "array", element: valueOf(key) };
    const keys = keysOf(key);
    if (keys === null) return recordOf(key, valueOf(key));
    const members = keys.map((value): MemberShape => {
      const origin = source?.type === "object"
        ? source.members.find((member) => member.name === value)
        : undefined;
      const isKept = node.optional === undefined || node.optional === null ||
        node.optional === false;
      return {
        ...origin,
        name: value,
        shape: valueOf({ type: "literal", value }),
        isOptional: isKept ? origin?.isOptional ?? false : node.optional !== "-",
      };
    });
    return { type: "object", members: members.map(withoutUndefined) };
  }

  /** The shape of a declaration. */
  declared(
    found: TypeName,
    node: Node,
    given: readonly TypeShape[],
    depth: number,
  ): TypeShape {
    const { scope, declaration, name } = found;
    const top = { ...topOf(scope), depth };
    const reader = this.#reader;
    switch (declaration.type) {
      case "class":
        return reader.unknown(`Type "${name}" is a class and taken as unknown`, node, scope);
      case "enum":
        return reader.values.enumeration(declaration.node, scope) ??
          reader.unknown(
            `Enum "${name}" has computed members and is taken as unknown`,
            declaration.node,
            scope,
          );
      case "interface":
        return this.#interface(name, declaration.parts, given, top);
    }
    const place = this.bind(declaration.node.typeParameters ?? null, given, top);
    const shape = reader.read(declaration.node.typeAnnotation, place);
    return shape.type === "object" && shape.name === undefined && given.length === 0
      ? { ...shape, name }
      : shape;
  }

  /** An interface, its base interfaces first; parts of one name add up. */
  #interface(
    name: string,
    parts: readonly TSInterfaceDeclaration[],
    given: readonly TypeShape[],
    top: TypePlace,
  ): TypeShape {
    const members = new Map<string, MemberShape>();
    let rest: TypeShape | undefined;
    let key: TypeShape | undefined;
    const add = (shape: TypeShape) => {
      if (shape.type === "object") {
        for (const member of shape.members) members.set(member.name, member);
        rest = shape.rest ?? rest;
      } else if (shape.type === "record") {
        rest = shape.value;
        key = shape.key;
      }
    };
    for (const part of parts) {
      const place = this.bind(part.typeParameters ?? null, given, top);
      for (const base of part.extends ?? []) add(this.#base(base, place));
      add(this.literal(part.body.body, place));
    }
    if (members.size === 0 && rest !== undefined) {
      return { type: "record", ...(key ? { key } : {}), value: rest };
    }
    const shape: ObjectShape = {
      type: "object",
      members: [...members.values()],
      ...(rest ? { rest } : {}),
    };
    return given.length === 0 ? { ...shape, name } : shape;
  }

  #base(base: Node, place: TypePlace): TypeShape {
    const heritage = base as unknown as {
      readonly expression: Node;
      readonly typeArguments?: Node | null;
    };
    const typeName = entityOf(heritage.expression);
    if (typeName === null) {
      const text = this.#reader.textOf(base, place.scope);
      return this.#reader.unknown(`Members of "${text}" are not checked`, base, place.scope);
    }
    const reference = {
      ...base,
      type: "TSTypeReference",
      typeName,
      typeArguments: heritage.typeArguments,
    };
    return this.#reader.expand(this.#reader.read(reference as unknown as Node, place));
  }

  /** A context with a declaration's type parameters; those without a value are unknown. */
  bind(declaration: Node | null, given: readonly TypeShape[], top: TypePlace): TypePlace {
    const args = new Map<string, TypeShape>();
    const place = { ...top, args };
    if (declaration?.type !== "TSTypeParameterDeclaration") return place;
    for (const [index, parameter] of declaration.params.entries()) {
      const name = nameOf(parameter.name as unknown as { type: string });
      const byDefault = () =>
        parameter.default ? this.#reader.read(parameter.default, place) : this.#reader.unknown(
          `Type parameter "${name}" is taken as unknown`,
          parameter,
          place.scope,
        );
      args.set(name, given[index] ?? byDefault());
    }
    return place;
  }
}

const WHOLE: ReadonlySet<string> = new Set([
  "date",
  "url",
  "bytes",
  "map",
  "set",
  "null",
  "undefined",
]);

function hasNoMembers(shape: TypeShape): boolean {
  return isPrimitive(shape) || WHOLE.has(shape.type);
}

// An optional member may be missing anyway.
function withoutUndefined(member: MemberShape): MemberShape {
  const { shape } = member;
  if (!member.isOptional || shape.type !== "union") return member;
  return {
    ...member,
    shape: unionOf(shape.members.filter(({ type }) => type !== "undefined")),
  };
}

/** `ns.Base` as the name of a type, null when it is computed. */
function entityOf(expression: Node): Node | null {
  if (expression.type === "Identifier" || expression.type === "TSQualifiedName") return expression;
  if (expression.type !== "MemberExpression" || expression.computed) return null;
  const left = entityOf(expression.object);
  if (left === null) return null;
  return {
    ...expression,
    type: "TSQualifiedName",
    left,
    right: expression.property,
  } as unknown as Node;
}
