import type { JobState } from "./state.ts";

/** Selects instances that match all given conditions. */
export interface InstanceQuery {
  /** Ids with this beginning, in lower case. */
  readonly idPrefix?: string;
  readonly ids?: readonly string[];
  readonly kinds?: readonly string[];
  readonly states?: readonly JobState[];
  readonly scheduleId?: string;
  readonly uniqueKey?: string;
  readonly retryOf?: string;
  readonly parentId?: string;
  /** The whole flow: its first instance too. */
  readonly flowId?: string;
  /** Only dead letters: instances that failed for good and were not run again. */
  readonly isDead?: true;
  /** Created at or after, epoch ms. */
  readonly after?: number;
  /** Created before, epoch ms. */
  readonly before?: number;
  /** Final, and settled at or after, epoch ms. No index: a scan inspects the other matches. */
  readonly endedAfter?: number;
  /** Final, and settled before, epoch ms. No index. */
  readonly endedBefore?: number;
  /** Claimed by this node last. No index. */
  readonly node?: string;
  /** Its arguments as JSON text contain this, in upper or lower case. No index. */
  readonly text?: string;
}

/** Selects a page of a listing. */
export interface PageRequest {
  /** 1 to BATCH_MAX. */
  readonly limit: number;
  /** Opaque; from the page before. An unreadable one is `invalid_argument`. */
  readonly token?: string;
  /** By acceptance, which is by id for ids of one source. Default: newest first. */
  readonly order?: "newest" | "oldest";
  /**
   * For instances: inspect about this many rows at most. The page may then be short or empty
   * although its token continues.
   */
  readonly lookMax?: number;
}

/** One page of a listing; `nextToken` is null on the last. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextToken: string | null;
  /** Epoch ms of creation of the last row looked at, if the page ended because of `lookMax`. */
  readonly lookedTo?: number;
}

/** Read a listing page by page; `read` returns the page after a token, without one the first. */
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
