import { snakeCase } from "../text/snake_case.ts";
import type { Signature } from "./signature.ts";

/**
 * A signature as JSON text for clients: its members in snake case, such as `is_optional`. Names
 * from the source (of parameters, of types and of their members) stay as they are.
 */
export function encodeSignature(signature: Signature): string {
  return JSON.stringify(renamed(signature, snakeCase));
}

/** A signature from the JSON value that {@link encodeSignature} wrote; null for anything else. */
export function decodeSignature(value: unknown): Signature | null {
  const signature = renamed(value, camelCase) as Partial<Signature> | null | undefined;
  return Array.isArray(signature?.parameters) && Array.isArray(signature.warnings)
    ? signature as Signature
    : null;
}

/** @param isByType true if its members are named after types in the source */
function renamed(value: unknown, rename: (name: string) => string, isByType = false): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([name, member]) =>
    isByType
      ? [name, renamed(member, rename)]
      : [rename(name), renamed(member, rename, name === "definitions")]
  );
  return Object.fromEntries(members);
}

function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
