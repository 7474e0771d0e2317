import type { Node, TSEntityName, TSImportType, TSTypeReference } from "@babel/types";
import { describeType } from "../../core/arguments/describe.ts";
import type {
  Definitions,
  InjectedType,
  SignatureWarning,
  TupleElement,
  TypeShape,
} from "../../core/arguments/signature.ts";
import type { FunctionNode } from "./exports_reader.ts";
import { type FoundName, ModuleGraph } from "./module_graph.ts";
import { ObjectTypes } from "./object_types.ts";
import { type ModuleScope, nameOf } from "./parse_module.ts";
import { RecursiveTypes } from "./recursive_types.ts";
import {
  indexedShape,
  intersect,
  isPrimitive,
  keyofShape,
  KEYWORD_SHAPES,
  literalOf,
  unionOf,
  UNKNOWN,
} from "./shapes.ts";
import { type PartReader, topOf, type TypePlace } from "./type_place.ts";
import { builtInType, isUtility, utilityType } from "./utility_types.ts";
import { ValueTypes } from "./value_types.ts";

/** Most types read for one signature; further ones are unknown. Aliases can double at each step. */
const TYPES_MAX = 5_000;
const DEPTH_MAX = 50;

const INJECTED: readonly string[] = ["Context", "Instance", "Manager", "Worker"];
const LIBRARY_TYPES: Readonly<Record<string, TypeShape>> = {
  Int: { type: "int" },
  Duration: { type: "duration" },
};

type TypeName = Extract<FoundName, { readonly type: "type" }>;
/** Reads a type argument when it is needed. */
type LazyType = () => TypeShape;

/**
 * Reads types of a module and its relative imports as shapes. An unreadable type is unknown, with a
 * warning.
 */
export class TypeReader implements PartReader {
  readonly graph: ModuleGraph;
  readonly warnings: SignatureWarning[] = [];
  readonly values = new ValueTypes(this);
  /** True if names of the library's types need no import, as in a `params` text. */
  readonly #isAmbient: boolean;
  readonly #objects = new ObjectTypes(this);
  readonly #recursive = new RecursiveTypes();
  /** Names that are followed to an injected type, so that a circle ends. */
  readonly #followed = new Set<string>();
  readonly #scopes = new Map<ModuleScope, number>();
  #count = 0;

  constructor(options: { readonly isAmbient: boolean; readonly graph?: ModuleGraph }) {
    this.graph = options.graph ?? new ModuleGraph();
    this.#isAmbient = options.isAmbient;
  }

  /** The types that contain themselves; undefined when there are none. */
  get definitions(): Definitions | undefined {
    return this.#recursive.definitions;
  }

  unknown(message: string, node: Node, scope: ModuleScope): TypeShape {
    const { line = 1, column = 0 } = node.loc?.start ?? {};
    const file = scope.file ?? undefined;
    const isKnown = this.warnings.some((each) =>
      each.message === message && each.line === line && each.file === file
    );
    if (!isKnown) this.warnings.push({ message, file, line, column: column + 1 });
    return UNKNOWN;
  }

  textOf(node: Node, scope: ModuleScope): string {
    // A type of a doc comment has its own text as the name of its file.
    const source = (node.loc as { filename?: string } | null | undefined)?.filename ?? scope.source;
    return source.slice(node.start ?? 0, node.end ?? 0).replaceAll(/\s+/g, " ");
  }

  unreadable(node: Node, scope: ModuleScope): TypeShape {
    return this.unknown(
      `Type ${quoteType(this.textOf(node, scope))} is taken as unknown`,
      node,
      scope,
    );
  }

  /** The injected type that a node names; null for any other type. */
  injectedOf(node: Node, scope: ModuleScope): InjectedType | null {
    if (node.type === "TSImportType") {
      if (node.qualifier?.type !== "Identifier") return null;
      return this.#injected(
        this.graph.findImported(scope, node.source.value, nameOf(node.qualifier)),
      );
    }
    if (node.type !== "TSTypeReference" || node.typeName.type === "ThisExpression") return null;
    const found = this.#find(node.typeName, scope);
    if (found !== null) return this.#injected(found);
    const name = node.typeName.type === "Identifier" ? node.typeName.name : "";
    if (name === "AbortSignal") return "AbortSignal";
    return this.#isAmbient || scope.language === "js" ? injectedName(name) : null;
  }

  #injected(found: FoundName): InjectedType | null {
    if (found.type !== "type") return null;
    if (found.scope === this.graph.library) return injectedName(found.name);
    const { declaration } = found;
    // `type Ctx = Context`, but no circle of names.
    if (declaration.type !== "alias" || this.#followed.has(found.name)) return null;
    this.#followed.add(found.name);
    try {
      return this.injectedOf(declaration.node.typeAnnotation, found.scope);
    } finally {
      this.#followed.delete(found.name);
    }
  }

  /** The declaration of a name, perhaps with namespaces before it; null if there is none. */
  #find(name: TSEntityName, scope: ModuleScope): FoundName | null {
    if (name.type === "Identifier") return this.graph.findType(scope, name.name);
    if (name.type === "ThisExpression") return null;
    const left = this.#find(name.left, scope);
    return left?.type === "namespace"
      ? this.graph.findExport(left.scope, name.right.name, "type")
      : null;
  }

  nested<T>(read: () => T): T {
    return this.#recursive.nested(read);
  }

  read(node: Node, place: TypePlace): TypeShape {
    const { scope, depth } = place;
    if (++this.#count > TYPES_MAX) {
      return this.unknown("The types are too many to read", { ...node, loc: null }, scope);
    }
    if (depth > DEPTH_MAX) {
      return this.unknown("The types are nested too deeply to read", node, scope);
    }
    const keyword = KEYWORD_SHAPES[node.type];
    if (keyword !== undefined) return keyword;
    return this.#composed(node, { ...place, depth: depth + 1 }) ?? this.unreadable(node, scope);
  }

  #composed(node: Node, place: TypePlace): TypeShape | null {
    switch (node.type) {
      case "TSParenthesizedType":
        return this.read(node.typeAnnotation, place);
      case "TSTypeOperator":
        if (node.operator === "readonly") return this.read(node.typeAnnotation, place);
        if (node.operator !== "keyof") return null;
        return keyofShape(this.expand(this.read(node.typeAnnotation, place)));
      case "TSArrayType":
        return this.nested(() => ({ type: "array", element: this.read(node.elementType, place) }));
      case "TSTupleType":
        return this.nested(() => this.#tuple(node.elementTypes, place));
      case "TSUnionType":
        return unionOf(node.types.map((type) => this.read(type, place)));
      case "TSIntersectionType":
        return this.#intersection(node.types, place);
      case "TSTypeLiteral":
        return this.#objects.literal(node.members, place);
      case "TSMappedType":
        return this.#objects.mapped(node, place);
      case "TSLiteralType":
        return literalOf(node.literal);
      case "TSIndexedAccessType": {
        const key = this.read(node.indexType, place);
        return indexedShape(this.expand(this.read(node.objectType, place)), key);
      }
      case "TSTypeQuery":
        return node.exprName.type === "TSImportType"
          ? null
          : this.values.query(node.exprName, place.scope, place.depth);
      case "TSImportType": {
        if (node.qualifier?.type !== "Identifier") return null;
        const { scope } = place;
        const found = this.graph.findImported(scope, node.source.value, node.qualifier.name);
        return this.#found(found, node, place, this.#lazily(node, place));
      }
      case "TSTypeReference":
        return this.#reference(node, place);
    }
    return null;
  }

  #intersection(types: readonly Node[], place: TypePlace): TypeShape | null {
    const known = this.warnings.length;
    const shapes = types.map((type) => this.expand(this.read(type, place)));
    const primitive = shapes.find((shape) => isPrimitive(shape));
    // No value has the members of a branded primitive.
    if (primitive !== undefined) this.warnings.length = known;
    // The reason was reported with the unknown type.
    else if (shapes.some((shape) => shape.type === "unknown")) return UNKNOWN;
    const [first = UNKNOWN, ...others] = shapes;
    return others.reduce<TypeShape | null>((all, one) => all && intersect(all, one), first);
  }

  #tuple(elements: readonly Node[], place: TypePlace): TypeShape {
    const shapes = elements.map((element): TupleElement => {
      let type = element;
      const isRest = type.type === "TSRestType";
      if (type.type === "TSRestType") type = type.typeAnnotation;
      const name = type.type === "TSNamedTupleMember" ? nameOf(type.label) : undefined;
      const isOptional = type.type === "TSOptionalType" ||
        (type.type === "TSNamedTupleMember" && type.optional);
      if (type.type === "TSNamedTupleMember") type = type.elementType;
      if (type.type === "TSOptionalType") type = type.typeAnnotation;
      const shape = this.read(type, place);
      if (!isRest) return { shape, name, ...(isOptional ? { isOptional } : {}) };
      const inner = shape.type === "array" ? shape.element : this.unreadable(element, place.scope);
      return { shape: inner, name, isRest };
    });
    return { type: "tuple", elements: shapes };
  }

  #reference(node: TSTypeReference, place: TypePlace): TypeShape | null {
    const { typeName } = node;
    const params = this.#lazily(node, place);
    if (typeName.type === "Identifier") {
      const bound = place.args.get(typeName.name);
      if (bound !== undefined) return bound;
    }
    const found = this.#find(typeName, place.scope);
    if (found !== null) return this.#found(found, node, place, params);
    if (typeName.type === "TSQualifiedName") {
      return this.values.member(typeName, place.scope, place.depth);
    }
    if (typeName.type !== "Identifier") return null;
    const { name } = typeName;
    const isLibrary = this.#isAmbient || place.scope.language === "js";
    if (isLibrary && LIBRARY_TYPES[name]) return LIBRARY_TYPES[name];
    const builtIn = builtInType(
      name,
      (index) => this.nested(() => params[index]?.() ?? UNKNOWN),
    );
    if (builtIn !== null || !isUtility(name)) return builtIn;
    const given = params.map((read) => read());
    // A type may contain a variant of itself: `interface Tree { parts: Partial<Tree>[] }`.
    return this.#recursive.read(
      `utility ${name} ${JSON.stringify(given)}`,
      nameWith(name, given),
      () => utilityType(name, given.map((shape) => this.expand(shape))),
    );
  }

  #found(
    found: FoundName,
    node: Node,
    place: TypePlace,
    params: readonly LazyType[],
  ): TypeShape | null {
    if (found.type === "missing") {
      const text = quoteType(this.textOf(node, place.scope));
      return this.unknown(
        `Type ${text} is imported and taken as unknown: ${found.problem}`,
        node,
        place.scope,
      );
    }
    if (found.type !== "type") return null;
    if (found.scope === this.graph.library) {
      if (LIBRARY_TYPES[found.name]) return LIBRARY_TYPES[found.name]!;
      if (injectedName(found.name) !== null) {
        return this.unknown(
          `Type "${found.name}" is injected only as the type of a parameter: taken as unknown here`,
          node,
          place.scope,
        );
      }
    }
    return this.#named(found, node, place, params);
  }

  /** A declared type with its type arguments. */
  #named(
    found: TypeName,
    node: Node,
    place: TypePlace,
    params: readonly LazyType[],
  ): TypeShape {
    // Read before the name is open: Box<Box<number>> does not contain itself.
    const given = params.map((read) => read());
    const key = `${this.#numberOf(found.scope)} ${found.name} ${
      given.length === 0 ? "" : JSON.stringify(given)
    }`;
    return this.#recursive.read(
      key,
      nameWith(found.name, given),
      () => this.#objects.declared(found, node, given, place.depth),
    ) ?? this.unknown(`Type "${found.name}" only refers to itself`, node, place.scope);
  }

  #numberOf(scope: ModuleScope): number {
    const known = this.#scopes.get(scope) ?? this.#scopes.size;
    this.#scopes.set(scope, known);
    return known;
  }

  /** The context of a function's types, with its own type parameters. */
  placeIn(run: FunctionNode, scope: ModuleScope): TypePlace {
    return this.#objects.bind(run.typeParameters ?? null, [], topOf(scope));
  }

  #lazily(node: TSTypeReference | TSImportType, place: TypePlace): readonly LazyType[] {
    return (node.typeArguments?.params ?? []).map((type) => () => this.read(type, place));
  }

  expand(shape: TypeShape): TypeShape {
    return this.#recursive.expand(shape);
  }
}

function nameWith(name: string, given: readonly TypeShape[]): string {
  return given.length === 0 ? name : `${name}<${given.map(describeType).join(", ")}>`;
}

function injectedName(name: string): InjectedType | null {
  return INJECTED.includes(name) ? name as InjectedType : null;
}

function quoteType(text: string): string {
  return `"${text.length > 80 ? `${text.slice(0, 80)}…` : text}"`;
}
