import { isUuid } from "../instance.ts";

/** Fewest characters of a short id: enough to find it again in the whole store. */
const LENGTH_MIN = 8;
/** Characters after the last dash. */
const TAIL_LENGTH = 12;

/**
 * Shows UUIDs by their last characters: at least 8, and enough to distinguish them. UUIDs of one
 * moment begin alike. Any other text stays whole.
 */
export function shortIds(ids: Iterable<string>): (id: string) => string {
  const uuids = [...new Set(ids)].filter(isUuid);
  let length = LENGTH_MIN;
  while (new Set(uuids.map((id) => id.slice(-length))).size < uuids.length) {
    // A dash alone does not count as one more character.
    length += length === TAIL_LENGTH ? 2 : 1;
  }
  return (id) => isUuid(id) ? id.slice(-length) : id;
}
