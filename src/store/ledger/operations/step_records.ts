import { stepMemoKey } from "../../../core/wait.ts";
import { storable } from "../storable.ts";
import type { LedgerState } from "../state.ts";

/** Write one step record. */
export function writeStep(state: LedgerState, id: string, step: string, data: string): void {
  const key = stepMemoKey(id, step);
  const version = (state.tables.memos.get(key)?.version ?? 0) + 1;
  state.saveMemo({
    key,
    version,
    watch: "failures",
    data: storable(data),
    news: [],
    droppedNews: 0,
  });
}

/** The value of a step record; null without one. */
export function readJson<T>(text: string | undefined): T | null {
  return text === undefined ? null : JSON.parse(text) as T;
}
