import { get, type QueryValues } from "../../api/client.ts";
import type { CountInstancesResponse, LookupInstancesResponse } from "../../gen/api_types.ts";

/** Instances of a page. */
const PAGE_SIZE = 50;

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

/** How many instances an action would change. */
export interface Affected {
  readonly count: number;
  /** There are more, or there may be. */
  readonly has_more: boolean;
}

/** Count what an action would change of the instances that match. */
export function countAffected(
  action: "cancel" | "redrive",
  query: QueryValues,
): Promise<Affected> {
  return get<CountInstancesResponse>("/instances/count", { ...query, action });
}
