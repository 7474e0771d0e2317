import { type ArgumentParameter, argumentsOf } from "./describe.ts";
import { resolveShape } from "./convert_union.ts";
import type { MemberShape, Signature, TypeShape } from "./signature.ts";

/**
 * Members that callers may name like parameters: members of a destructured parameter, or of the
 * only parameter. For a union of object types, the members of all types.
 */
export function openMembers(
  parameter: ArgumentParameter,
  signature: Signature,
): readonly MemberShape[] {
  const isOpen = parameter.isPattern || argumentsOf(signature).length === 1;
  return isOpen && !parameter.isRest ? membersOf(parameter.shape, signature) : [];
}

/** Members of a destructured parameter with one object type; null for others. */
export function patternMembers(
  parameter: ArgumentParameter,
  signature: Signature,
): readonly MemberShape[] | null {
  if (!parameter.isPattern) return null;
  const shape = resolveShape(parameter.shape, signature.definitions ?? {});
  return shape.type === "object" ? shape.members : null;
}

function membersOf(given: TypeShape, signature: Signature): readonly MemberShape[] {
  const definitions = signature.definitions ?? {};
  const shape = resolveShape(given, definitions);
  if (shape.type === "object") return shape.members;
  if (shape.type !== "union") return [];
  return shape.members.map((member) => resolveShape(member, definitions))
    .flatMap((member) => member.type === "object" ? member.members : []);
}
