import type { Node } from "@babel/types";
import type { TypeShape } from "../core/signature.ts";

const UNKNOWN: TypeShape = { type: "unknown" };

/** One shape of several: nested unions are flattened, and unknown takes in everything else. */
export function unionOf(shapes: readonly TypeShape[]): TypeShape {
  const members = shapes.flatMap((shape) => shape.type === "union" ? shape.members : [shape]);
  if (members.some((member) => member.type === "unknown")) return UNKNOWN;
  return members.length === 1 ? members[0]! : { type: "union", members };
}

/** The shape of a literal in a type or a value, null when it is none that can be told. */
export function literalOf(node: Node): TypeShape | null {
  switch (node.type) {
    case "StringLiteral":
    case "NumericLiteral":
    case "BooleanLiteral":
      return { type: "literal", value: node.value };
    case "TemplateLiteral": {
      const text = node.quasis[0]?.value.cooked;
      return node.quasis.length === 1 && typeof text === "string"
        ? { type: "literal", value: text }
        : null;
    }
    case "UnaryExpression":
      return node.operator === "-" && node.argument.type === "NumericLiteral"
        ? { type: "literal", value: -node.argument.value }
        : null;
  }
  return null;
}
