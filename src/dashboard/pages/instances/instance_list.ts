import { get, type QueryValues } from "../../api/client.ts";
import type { CountInstancesResponse, LookupInstancesResponse } from "../../gen/api_types.ts";

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

/** Number of instances that an action would change. */
export interface Affected {
  readonly count: number;
  /** True if there are more, or may be. */
  readonly has_more: boolean;
}

/** Count matching instances that an action would change. */
export function countAffected(
  action: "cancel" | "redrive",
  query: QueryValues,
): Promise<Affected> {
  return get<CountInstancesResponse>("/instances/count", { ...query, action });
}
