import type { Node, TSEnumDeclaration } from "@babel/types";
import type { TypeShape } from "../../core/arguments/signature.ts";
import type { ModuleGraph } from "./module_graph.ts";
import type { ModuleScope } from "./parse_module.ts";

/** The context of a type: its module, and the values of the type parameters in scope. */
export interface TypePlace {
  readonly scope: ModuleScope;
  readonly args: ReadonlyMap<string, TypeShape>;
  /** The number of types around it. */
  readonly depth: number;
}

/** The context of a type at the top level of a module. */
export function topOf(scope: ModuleScope): TypePlace {
  return { scope, args: new Map(), depth: 0 };
}

/** Reads the types that a type consists of. */
export interface PartReader {
  readonly graph: ModuleGraph;
  readonly values: {
    /** The shape of an enum; null if it has computed members. */
    enumeration(node: TSEnumDeclaration, scope: ModuleScope): TypeShape | null;
  };
  /** The shape of a type. */
  read(node: Node, place: TypePlace): TypeShape;
  /** Read parts of a list or an object: a type may contain itself there. */
  nested<T>(read: () => T): T;
  /** The shape itself in place of a reference to it. */
  expand(shape: TypeShape): TypeShape;
  /** Warn that something cannot be read, once per place. Returns the unknown type. */
  unknown(message: string, node: Node, scope: ModuleScope): TypeShape;
  /** The source text of a node, on one line. */
  textOf(node: Node, scope: ModuleScope): string;
}
