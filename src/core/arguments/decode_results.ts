import { convertValue } from "./convert_value.ts";
import type { Signature } from "./signature.ts";

/**
 * The results of an instance in the types that the job declares: a Date for ISO text, a Map for
 * pairs, and so on. A result stays as in JSON if its type is unknown or does not fit.
 */
export function decodeResults(
  resultsJson: string,
  signature: Pick<Signature, "result" | "resultCount" | "definitions">,
): readonly unknown[] {
  const values = JSON.parse(resultsJson) as readonly unknown[];
  const { result, resultCount, definitions } = signature;
  if (result === undefined || values.length === 0) return values;
  // A tuple of two or more is that many results; see encodeResults.
  const isTuple = result.type === "tuple" && resultCount !== null && resultCount > 1;
  // Only JSON forms are decoded; a result of another type is not converted.
  const decoded = convertValue(result, isTuple ? values : values[0], definitions, "text");
  if (!decoded.isOk) return values;
  return isTuple ? decoded.value as readonly unknown[] : [decoded.value];
}
