import type { JobState } from "./state.ts";

/** Selects instances that match all given conditions. */
export interface InstanceQuery {
  /** Ids that begin so, lower case. */
  readonly idPrefix?: string;
  readonly ids?: readonly string[];
  readonly kinds?: readonly string[];
  readonly states?: readonly JobState[];
  readonly scheduleId?: string;
  readonly uniqueKey?: string;
  readonly retryOf?: string;
  /** Only dead letters: instances that failed for good and were not run again. */
  readonly isDead?: true;
  /** Created at or after, epoch ms. */
  readonly after?: number;
  /** Created before, epoch ms. */
  readonly before?: number;
}

/** Selects a page of a listing. */
export interface PageRequest {
  /** 1 to BATCH_MAX. */
  readonly limit: number;
  /** Opaque; from the page before. An unreadable one is `invalid_argument`. */
  readonly token?: string;
  /** By acceptance, which is by id for ids of one source. Default: newest first. */
  readonly order?: "newest" | "oldest";
}

/** One page of a listing; `nextToken` is null on the last. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextToken: string | null;
}

/**
 * Read a listing page by page, in order.
 *
 * @param read returns the page after a token; without one, the first page
 */
export async function* pagesOf<T>(
  read: (token: string | undefined) => Promise<Page<T>>,
): AsyncGenerator<readonly T[]> {
  let token: string | undefined;
  do {
    const page = await read(token);
    yield page.items;
    token = page.nextToken ?? undefined;
  } while (token !== undefined);
}
