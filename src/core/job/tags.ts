import { quoteValue } from "../text/quote_value.ts";
import { JobError } from "../errors.ts";
import { didYouMean } from "../text/nearest.ts";

/** Longest tag of a node, and longest id, in characters. */
const NODE_NAME_LENGTH_MAX = 100;
/** Most tags of a node, and most that a job needs. */
export const TAGS_MAX = 100;

/** A node id or a tag in words. */
export const NODE_NAME_WANTED =
  `a name of 1 to ${NODE_NAME_LENGTH_MAX} letters, digits, ".", "_", ":" or "-"`;

/**
 * True if a text can be a tag or the id of a node: letters, digits, `.`, `_`, `:` and `-`,
 * beginning with a letter or digit.
 */
export function isNodeName(value: unknown): value is string {
  return typeof value === "string" && value.length <= NODE_NAME_LENGTH_MAX &&
    /^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(value);
}

/** The tags of `needs` that are not in `tags`. */
export function missingTags(
  needs: readonly string[],
  tags: ReadonlySet<string>,
): readonly string[] {
  return needs.filter((need) => !tags.has(need));
}

/** Path of a tag in a query. */
const TAG_PATH = "query.tag";
/** Most tags listed in an error. */
const LISTED_TAGS_MAX = 10;

/**
 * The kinds of the jobs that need a tag.
 *
 * @throws JobError `invalid_argument` if it cannot be a tag, `not_found` with the nearest one if no
 * job needs it
 */
export function kindsNeeding(
  tag: string,
  jobs: Iterable<{ readonly kind: string; readonly needs: readonly string[] }>,
): readonly string[] {
  if (!isNodeName(tag)) {
    throw new JobError(
      "invalid_argument",
      `Cannot find tag ${quoteValue(tag)}: wanted ${NODE_NAME_WANTED}`,
      { path: TAG_PATH },
    );
  }
  const tags = new Set<string>();
  const kinds: string[] = [];
  for (const { kind, needs } of jobs) {
    if (needs.includes(tag)) kinds.push(kind);
    for (const need of needs) tags.add(need);
  }
  if (kinds.length > 0) return kinds;
  const listed = [...tags].sort().slice(0, LISTED_TAGS_MAX).join(", ");
  throw new JobError("not_found", `Cannot find tag "${tag}": no job of this daemon needs it`, {
    path: TAG_PATH,
    hint: didYouMean(tag, tags) ?? `Tags that jobs need: ${listed || "none"}`,
  });
}
