import { createHash } from "node:crypto";

/**
 * A UUID that is a function of the text, and differs for every other text.
 *
 * @param version the digit of its version
 */
export function idOfText(text: string, version: "5" | "8" = "8"): string {
  const hex = createHash("sha1").update(text).digest("hex");
  const variant = "89ab"[parseInt(hex[16]!, 16) & 3]!;
  const [head, time, tail] = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(20, 32)];
  return `${head}-${time}-${version}${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${tail}`;
}
