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

/** The tags of `needs` that `tags` does not have. */
export function missingTags(
  needs: readonly string[],
  tags: ReadonlySet<string>,
): readonly string[] {
  return needs.filter((need) => !tags.has(need));
}
