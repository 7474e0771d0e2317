import type { Node, TSTypeReference } from "@babel/types";
import type { InjectedType, TypeShape } from "../core/signature.ts";
import { ObjectTypes } from "./object_types.ts";
import { type ModuleScope, nameOf } from "./parse_module.ts";
import { literalOf, unionOf } from "./shapes.ts";

/** Types that are read of one signature before the rest is taken as unknown: aliases can double at each step. */
const TYPES_MAX = 5_000;
const DEPTH_MAX = 50;
const UNKNOWN: TypeShape = { type: "unknown" };

const INJECTED: readonly string[] = ["Context", "Instance", "Manager", "Worker"];
const LIBRARY = /^(?:npm:|jsr:)?ts-job(?:@[^/]+)?$/;

/** Type parameters in force, by name: what each stands for. */
export type TypeArguments = ReadonlyMap<string, TypeShape>;

const KEYWORDS: Readonly<Record<string, TypeShape>> = {
  TSNumberKeyword: { type: "number" },
  TSStringKeyword: { type: "string" },
  TSBooleanKeyword: { type: "boolean" },
  TSBigIntKeyword: { type: "bigint" },
  TSNullKeyword: { type: "null" },
  TSUndefinedKeyword: { type: "undefined" },
  TSVoidKeyword: { type: "undefined" },
  TSAnyKeyword: UNKNOWN,
  TSUnknownKeyword: UNKNOWN,
  TSObjectKeyword: { type: "record", value: UNKNOWN },
};

/** Reads types of one module as shapes. What it cannot read is unknown, with a warning. */
export class TypeReader {
  readonly scope: ModuleScope;
  readonly warnings: string[] = [];
  /** Whether names of the library's types count without an import, as in a `params` text. */
  readonly #isAmbient: boolean;
  readonly #objects = new ObjectTypes(this);
  readonly #open = new Set<string>();
  #outer: TypeArguments = new Map();
  #count = 0;

  /**
   * @param options.parameters the type parameters of the function whose types are read
   */
  constructor(
    scope: ModuleScope,
    options: { readonly isAmbient: boolean; readonly parameters?: Node | null },
  ) {
    this.scope = scope;
    this.#isAmbient = options.isAmbient;
    this.#outer = this.bind(options.parameters ?? null, [], 0);
  }

  /** Note that something cannot be read, once, and take it as unknown. */
  unknown(problem: string): TypeShape {
    if (!this.warnings.includes(problem)) this.warnings.push(problem);
    return UNKNOWN;
  }

  /** The source text of a node, on one line. */
  textOf(node: Node): string {
    return this.scope.source.slice(node.start ?? 0, node.end ?? 0).replaceAll(/\s+/g, " ");
  }

  /** Which injected type a node names, null for any other type. */
  injectedOf(node: Node): InjectedType | null {
    if (node.type === "TSImportType") {
      const isOurs = LIBRARY.test(node.source.value) && node.qualifier?.type === "Identifier";
      return isOurs ? injectedName(nameOf(node.qualifier!)) : null;
    }
    if (node.type !== "TSTypeReference") return null;
    const { typeName } = node;
    if (typeName.type === "TSQualifiedName") {
      const namespace = typeName.left.type === "Identifier" ? typeName.left.name : "";
      const imported = this.scope.imports.get(namespace);
      const isOurs = imported !== undefined && imported.name === "*" &&
        LIBRARY.test(imported.source);
      return isOurs ? injectedName(typeName.right.name) : null;
    }
    if (typeName.type !== "Identifier" || this.scope.types.has(typeName.name)) return null;
    const imported = this.scope.imports.get(typeName.name);
    if (imported !== undefined) {
      return LIBRARY.test(imported.source) ? injectedName(imported.name) : null;
    }
    if (typeName.name === "AbortSignal") return "AbortSignal";
    return this.#isAmbient ? injectedName(typeName.name) : null;
  }

  /** The shape of a type. */
  read(node: Node, args: TypeArguments = this.#outer, depth = 0): TypeShape {
    if (++this.#count > TYPES_MAX) return this.unknown("The types are too many to read");
    if (depth > DEPTH_MAX) return this.unknown("The types are nested too deeply to read");
    const keyword = KEYWORDS[node.type];
    if (keyword !== undefined) return keyword;
    const next = depth + 1;
    switch (node.type) {
      case "TSParenthesizedType":
        return this.read(node.typeAnnotation, args, next);
      case "TSTypeOperator":
        if (node.operator === "readonly") return this.read(node.typeAnnotation, args, next);
        break;
      case "TSArrayType":
        return { type: "array", element: this.read(node.elementType, args, next) };
      case "TSTupleType":
        return this.#tuple(node.elementTypes, args, next) ?? this.#unreadable(node);
      case "TSUnionType":
        return unionOf(node.types.map((type) => this.read(type, args, next)));
      case "TSIntersectionType":
        return this.#objects.intersection(node, args, next);
      case "TSTypeLiteral":
        return this.#objects.literal(node.members, args, next);
      case "TSLiteralType":
        return literalOf(node.literal) ?? this.#unreadable(node);
      case "TSIndexedAccessType":
        return this.#objects.indexed(node, args, next) ?? this.#unreadable(node);
      case "TSTypeReference":
        return this.#reference(node, args, next);
    }
    return this.#unreadable(node);
  }

  #unreadable(node: Node): TypeShape {
    return this.unknown(`Type ${quoteType(this.textOf(node))} is taken as unknown`);
  }

  #tuple(elements: readonly Node[], args: TypeArguments, depth: number): TypeShape | null {
    const shapes: TypeShape[] = [];
    for (const element of elements) {
      if (element.type === "TSRestType") return null;
      const isNamed = element.type === "TSNamedTupleMember";
      const isOptional = element.type === "TSOptionalType" || (isNamed && element.optional);
      let type: Node = element;
      if (element.type === "TSNamedTupleMember") type = element.elementType;
      if (element.type === "TSOptionalType") type = element.typeAnnotation;
      const shape = this.read(type, args, depth);
      shapes.push(isOptional ? unionOf([shape, { type: "undefined" }]) : shape);
    }
    return { type: "tuple", elements: shapes };
  }

  #reference(node: TSTypeReference, args: TypeArguments, depth: number): TypeShape {
    const { typeName } = node;
    if (typeName.type !== "Identifier") return this.#unreadable(node);
    const bound = args.get(typeName.name);
    if (bound !== undefined) return bound;
    const params = (node.typeArguments?.params ?? [])
      .map((type) => () => this.read(type, args, depth));
    if (this.scope.types.has(typeName.name)) return this.named(typeName.name, params, depth);
    const imported = this.scope.imports.get(typeName.name);
    if (imported !== undefined) {
      return this.unknown(
        `Type "${typeName.name}" is imported from "${imported.source}" and taken as unknown: only types of the same ` +
          "file are read",
      );
    }
    return this.#builtIn(typeName.name, params) ??
      this.#objects.utility(typeName.name, params) ?? this.#unreadable(node);
  }

  /** A type that the module declares, with its type arguments. */
  named(name: string, params: readonly (() => TypeShape)[], depth: number): TypeShape {
    const declaration = this.scope.types.get(name);
    if (declaration === undefined) return this.unknown(`Type "${name}" is not known`);
    if (this.#open.has(name)) {
      return this.unknown(`Type "${name}" contains itself: its inner levels are taken as unknown`);
    }
    if (declaration.type === "class") {
      return this.unknown(`Type "${name}" is a class and taken as unknown`);
    }
    // Read before the name is open: Box<Box<number>> does not contain itself.
    const given = params.map((read) => read());
    this.#open.add(name);
    try {
      if (declaration.type === "enum") {
        return this.#objects.enumeration(declaration.node) ??
          this.unknown(`Enum "${name}" has computed members and is taken as unknown`);
      }
      if (declaration.type === "interface") {
        return this.#objects.interface(name, declaration.parts, given, depth);
      }
      const { node } = declaration;
      const bound = this.bind(node.typeParameters ?? null, given, depth);
      const shape = this.read(node.typeAnnotation, bound, depth);
      return shape.type === "object" && shape.name === undefined && given.length === 0
        ? { ...shape, name }
        : shape;
    } finally {
      this.#open.delete(name);
    }
  }

  /** What the type parameters of a declaration stand for; those without a value are unknown. */
  bind(declaration: Node | null, given: readonly TypeShape[], depth: number): TypeArguments {
    const bound = new Map<string, TypeShape>();
    if (declaration?.type !== "TSTypeParameterDeclaration") return bound;
    for (const [index, parameter] of declaration.params.entries()) {
      const name = nameOf(parameter.name as unknown as { type: string });
      const byDefault = () =>
        parameter.default
          ? this.read(parameter.default, bound, depth)
          : this.unknown(`Type parameter "${name}" is taken as unknown`);
      bound.set(name, given[index] ?? byDefault());
    }
    return bound;
  }

  #builtIn(name: string, params: readonly (() => TypeShape)[]): TypeShape | null {
    const element = () => params[0]?.() ?? UNKNOWN;
    if (name === "Date") return { type: "date" };
    if (name === "Array" || name === "ReadonlyArray") return { type: "array", element: element() };
    return null;
  }
}

function injectedName(name: string): InjectedType | null {
  return INJECTED.includes(name) ? name as InjectedType : null;
}

function quoteType(text: string): string {
  return `"${text.length > 80 ? `${text.slice(0, 80)}…` : text}"`;
}
