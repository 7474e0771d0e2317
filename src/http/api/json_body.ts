import { isDeeperThan, parseJson, sizeProblem } from "../../core/arguments/json_text.ts";
import { quoteValue } from "../../core/text/quote_value.ts";
import { repeatedMember } from "../../core/arguments/repeated_member.ts";
import { JobError, messageOf } from "../../core/errors.ts";

/** Deepest nesting of a body, far beyond any arguments'. */
const LEVELS_MAX = 1_000;
/** Most characters of the path of a wrong member. */
const PATH_SHOWN_MAX = 200;
const DECODER = new TextDecoder("utf-8", { fatal: true });

/**
 * The value of a body of JSON; an object without members for an empty one. Integers that a number
 * cannot represent are bigints.
 *
 * @throws JobError `invalid_argument` for bytes that are not JSON in UTF-8, nest too deep, have too
 * many values, or a member twice
 */
export function readBody(bytes: Uint8Array): unknown {
  if (bytes.byteLength === 0) return {};
  const text = decode(bytes);
  if (isDeeperThan(text, LEVELS_MAX)) {
    throw refuse(`it nests deeper than ${LEVELS_MAX} levels`);
  }
  const problem = sizeProblem(text);
  if (problem !== null) throw refuse(problem);
  const value = parse(text);
  const path = repeatedMember(text, value)?.slice(0, PATH_SHOWN_MAX);
  if (path === undefined) return value;
  throw new JobError("invalid_argument", `Cannot read the body: it has ${quoteValue(path)} twice`, {
    path,
    hint: "Give each member once",
  });
}

function parse(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw refuse(`it is not JSON: ${messageOf(error).slice(0, 200)}`, error);
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return DECODER.decode(bytes);
  } catch (error) {
    throw refuse("it is not valid UTF-8", error);
  }
}

function refuse(problem: string, cause?: unknown): JobError {
  return new JobError("invalid_argument", `Cannot read the body: ${problem}`, {
    hint: "Send one JSON object",
    cause,
  });
}
