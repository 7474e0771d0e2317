import type { Node } from "@babel/types";

/** The value of a name; null if it is not a known constant. */
export type Constants = (name: string) => string | number | null;

const DEPTH_MAX = 100;

/**
 * The value of an enum member's constant expression, such as `1 << 2` or `Read | Write`; null if it
 * is computed.
 *
 * @param own the enum's own name: `Access.Read` in it is its member
 */
export function constantOf(
  node: Node,
  constants: Constants,
  own: string,
  depth = 0,
): string | number | null {
  if (depth > DEPTH_MAX) return null;
  const valueOf = (inner: Node) => constantOf(inner, constants, own, depth + 1);
  switch (node.type) {
    case "StringLiteral":
    case "NumericLiteral":
      return node.value;
    case "ParenthesizedExpression":
      return valueOf(node.expression);
    case "Identifier":
      return constants(node.name);
    case "MemberExpression": {
      const { object, property } = node;
      if (object.type !== "Identifier" || object.name !== own) return null;
      if (property.type === "StringLiteral") return constants(property.value);
      return property.type === "Identifier" && !node.computed ? constants(property.name) : null;
    }
    case "TemplateLiteral": {
      let text = node.quasis[0]?.value.cooked ?? "";
      for (const [index, part] of node.expressions.entries()) {
        const value = valueOf(part);
        if (value === null) return null;
        text += String(value) + (node.quasis[index + 1]?.value.cooked ?? "");
      }
      return text;
    }
    case "UnaryExpression": {
      const value = valueOf(node.argument);
      if (typeof value !== "number") return null;
      return node.operator === "-"
        ? -value
        : node.operator === "~"
        ? ~value
        : node.operator === "+"
        ? value
        : null;
    }
    case "BinaryExpression":
      return binary(node.operator, valueOf(node.left), valueOf(node.right));
  }
  return null;
}

function binary(
  operator: string,
  left: string | number | null,
  right: string | number | null,
): string | number | null {
  if (left === null || right === null) return null;
  if (operator === "+" && (typeof left === "string" || typeof right === "string")) {
    return String(left) + String(right);
  }
  if (typeof left !== "number" || typeof right !== "number") return null;
  const operation = OPERATIONS[operator];
  return operation === undefined ? null : operation(left, right);
}

const OPERATIONS: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
  "**": (a, b) => a ** b,
  "<<": (a, b) => a << b,
  ">>": (a, b) => a >> b,
  ">>>": (a, b) => a >>> b,
  "&": (a, b) => a & b,
  "|": (a, b) => a | b,
  "^": (a, b) => a ^ b,
};
