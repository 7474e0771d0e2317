import { LOG_LEVELS } from "../../../core/instance.ts";
import type { LogTail, LogTailQuery } from "../../store.ts";
import { checkPage } from "../checks.ts";
import { readToken, writeToken } from "./page_token.ts";
import type { PlacedLog } from "../tables/row.ts";
import type { LedgerState } from "../state.ts";

/**
 * The next lines in the order written, after a cursor. A cursor of another body of data starts at
 * the oldest line: all lines are new to its reader.
 */
export function tailLogs(
  state: LedgerState,
  storeId: string,
  query: LogTailQuery,
  request: { readonly cursor: string | null; readonly limit: number },
): LogTail {
  checkPage({ limit: request.limit }, "follow logs");
  const { cursor, limit } = request;
  const [from, place] = cursor === null
    ? [storeId, 0]
    : readToken(cursor, "tail", ["string", "number"]);
  const afterPlace = from === storeId ? Number(place) : 0;
  const row = query.instanceId === undefined ? null : state.tables.instances.get(query.instanceId);
  const isGone = query.instanceId !== undefined && !row;
  const lines = isGone ? [] : state.tables.logs.read({
    instanceSeq: row?.seq ?? null,
    order: "written",
    afterAt: 0,
    afterPlace,
    beforeAt: 0,
    limit,
  });
  return {
    items: lines.filter((line) => matches(line, query)).map(({ entry }) => entry),
    cursor: writeToken("tail", [storeId, lines.at(-1)?.place ?? afterPlace]),
    isEnd: lines.length < limit,
  };
}

/** The cursor after the last written line. */
export function logEnd(state: LedgerState, storeId: string): string {
  const [last] = state.tables.logs.read({
    instanceSeq: null,
    order: "newest",
    afterAt: 0,
    afterPlace: 0,
    beforeAt: 0,
    limit: 1,
  });
  return writeToken("tail", [storeId, last?.place ?? 0]);
}

function matches({ entry }: PlacedLog, { kind, level }: LogTailQuery): boolean {
  if (kind !== undefined && entry.kind !== kind) return false;
  return level === undefined || LOG_LEVELS.indexOf(entry.level) >= LOG_LEVELS.indexOf(level);
}
