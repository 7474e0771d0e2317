import { isUuid } from "../instance.ts";

/** Fewest characters of a short id: enough for a person to find it again in all of a store. */
const LENGTH_MIN = 8;
/** Characters after the last dash. */
const TAIL_LENGTH = 12;

/**
 * Shows UUIDs by their last characters: by as many as tell them apart, at least 8. Those of one
 * moment begin alike. Any other text stays whole.
 */
export function shortIds(ids: Iterable<string>): (id: string) => string {
  const uuids = [...new Set(ids)].filter(isUuid);
  let length = LENGTH_MIN;
  while (new Set(uuids.map((id) => id.slice(-length))).size < uuids.length) {
    // Not only one character more if that is a dash.
    length += length === TAIL_LENGTH ? 2 : 1;
  }
  return (id) => isUuid(id) ? id.slice(-length) : id;
}
