import { get, type QueryValues } from "../../api/client.ts";
import type { CountInstancesResponse, LookupInstancesResponse } from "../../gen/api_types.ts";

/** Instances of a page. */
const PAGE_SIZE = 50;

/** Most instances that are counted: beyond, more than so many is known enough. */
export const COUNTED_MAX = 10_000;

/**
 * Read a page of instances.
 *
 * @param path of the API: "/instances" or "/dead-letters"
 * @param query the conditions
 * @param token of the page; empty for the first
 */
export function readPage(
  path: string,
  query: QueryValues,
  token: string,
  signal: AbortSignal,
): Promise<LookupInstancesResponse> {
  return get(path, { ...query, page_size: PAGE_SIZE, page_token: token, brief: true }, signal);
}

/**
 * Count the instances that match.
 *
 * @returns more than {@link COUNTED_MAX} if there are that many
 */
export async function countInstances(query: QueryValues): Promise<number> {
  const { count, has_more } = await get<CountInstancesResponse>("/instances/count", {
    ...query,
    max: COUNTED_MAX,
  });
  return has_more ? Math.max(count, COUNTED_MAX) + 1 : count;
}
