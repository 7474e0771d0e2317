import { get, type QueryValues } from "../../api/client.ts";
import type { JobInstance, LookupInstancesResponse } from "../../gen/api_types.ts";

/** Instances of a page of the list. */
export interface InstancePage {
  readonly instances: readonly JobInstance[];
  readonly nextToken: string | undefined;
  /** The number of instances that were looked at, if a text was searched in them. */
  readonly searched: number | null;
}

/** Instances of a page. */
const PAGE_SIZE = 50;
/** Instances that are looked at for a text, at once and for one page. */
const SEARCH_SIZE = 500;
const SEARCHED_MAX = 10_000;

/**
 * Read a page of instances.
 *
 * @param path of the API: "/instances" or "/dead-letters"
 * @param isShown which of the instances to keep; the others are passed over
 * @param isSearch true if few are kept: then more are read at once
 */
export async function readPage(path: string, options: {
  readonly query: QueryValues;
  readonly token: string;
  readonly isShown: (instance: JobInstance) => boolean;
  readonly isSearch: boolean;
  readonly signal: AbortSignal;
}): Promise<InstancePage> {
  const { query, isShown, isSearch, signal } = options;
  const found: JobInstance[] = [];
  let token: string | undefined = options.token;
  let searched = 0;
  do {
    const response: LookupInstancesResponse = await get(path, {
      ...query,
      page_size: isSearch ? SEARCH_SIZE : PAGE_SIZE,
      page_token: token,
      // A search looks at whole arguments.
      brief: !isSearch,
    }, signal);
    found.push(...response.instances.filter(isShown));
    searched += response.instances.length;
    token = response.next_page_token;
  } while (isSearch && token !== undefined && found.length < PAGE_SIZE && searched < SEARCHED_MAX);
  return { instances: found, nextToken: token, searched: isSearch ? searched : null };
}

/** Most instances that are counted one by one. */
export const COUNTED_MAX = 10_000;

/**
 * Count the instances that match, when no counter says how many there are.
 *
 * @returns more than {@link COUNTED_MAX} if there are that many
 */
export async function countInstances(path: string, query: QueryValues): Promise<number> {
  let count = 0;
  let token: string | undefined;
  do {
    const response: LookupInstancesResponse = await get(path, {
      ...query,
      page_size: 1_000,
      page_token: token,
      brief: true,
    });
    count += response.instances.length;
    token = response.next_page_token;
    if (token !== undefined && count >= COUNTED_MAX) return COUNTED_MAX + 1;
  } while (token !== undefined);
  return count;
}
