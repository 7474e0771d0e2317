import { Buffer } from "node:buffer";
import { JobError } from "../../../core/errors.ts";

/** The list that a token continues; other lists refuse it. */
export type TokenType = "instances" | "history" | "logs" | "tail" | "fates" | "schedules";

/** The place of a page's last item as opaque text. */
export function writeToken(type: TokenType, place: readonly (number | string)[]): string {
  return Buffer.from(JSON.stringify([type, ...place])).toString("base64url");
}

/**
 * The place in a token.
 *
 * @throws JobError `invalid_argument` for a token that {@link writeToken} did not make for this
 * type and shape
 */
export function readToken<T extends number | string>(
  token: string,
  type: TokenType,
  shape: readonly ("number" | "string")[],
): readonly T[] {
  try {
    const [tokenType, ...place] = JSON.parse(Buffer.from(token, "base64url").toString());
    const isValid = tokenType === type && place.length === shape.length &&
      place.every((part: unknown, index: number) =>
        typeof part === shape[index] && (typeof part === "string" || Number.isSafeInteger(part))
      );
    if (isValid) return place;
  } catch {
    // Refused below like every other unreadable token.
  }
  const shown = token.length > 60 ? `${token.slice(0, 60)}…` : token;
  throw new JobError(
    "invalid_argument",
    `Cannot read page token "${shown.toWellFormed()}": this list did not return it`,
    { path: "token", hint: "Start again without a token" },
  );
}
