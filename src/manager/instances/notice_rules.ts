import { JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import { isDeadState } from "../../core/state.ts";
import { isNoticeKind } from "../../notices/context/notice_kinds.ts";
import { BATCH_MAX, type InstanceQuery, type Store } from "../../store/store.ts";

// A caller who stops notices could hide failures; a caller who makes them could reach people.

/** Refuse this action on system jobs of notices. @throws JobError `invalid_argument` */
export function assertNoNotice(kind: string, action: "schedule" | "pause" | "silence"): void {
  if (typeof kind !== "string" || !isNoticeKind(kind)) return;
  throw new JobError("invalid_argument", `Cannot ${action} "${kind}": only the daemon runs it`, {
    path: "kind",
    hint: "To test a channel: jobctl notices test. For planned work: jobctl silence",
  });
}

/**
 * Refuse to repeat a notice that was delivered, or more than once: each repetition reaches people.
 *
 * @throws JobError `conflict`
 */
export function assertRepeatable({ kind, id, state, redrivenAs }: Instance): void {
  if (!isNoticeKind(kind)) return;
  const problem = !isDeadState(state)
    ? "it is a notice, but not a dead letter"
    : redrivenAs !== null
    ? `it is a notice that was already run again as ${redrivenAs}`
    : null;
  if (problem === null) return;
  throw new JobError("conflict", `Cannot retry instance "${id}": ${problem}`, {
    options: ["id"],
    hint: "To test a channel: jobctl notices test",
  });
}

/**
 * The queries of a cancel, which cancels notices only by their kind or id.
 *
 * @throws JobError `permission_denied` for notices that the caller may not cancel
 */
export async function cancelQueries(
  query: InstanceQuery,
  mayCancelNotices: boolean,
  store: Pick<Store, "get" | "stats">,
): Promise<readonly InstanceQuery[]> {
  const { ids, kinds } = query;
  if (ids !== undefined || (kinds !== undefined && kinds.length > 0)) {
    if (mayCancelNotices) return [query];
    const named = [...kinds ?? []];
    for (const id of ids ?? []) named.push((await store.get(id))?.kind ?? "");
    const notice = named.find(isNoticeKind);
    if (notice === undefined) return [query];
    throw new JobError("permission_denied", `Cannot cancel notices of "${notice}"`, {
      hint: "An admin can. For planned work: jobctl silence",
    });
  }
  const stats = await store.stats();
  const waiting = [...stats.kinds].filter(([, { created, scheduled, processing }]) =>
    created + scheduled + processing > 0
  ).map(([kind]) => kind);
  if (!waiting.some(isNoticeKind)) return [query];
  const others = waiting.filter((kind) => !isNoticeKind(kind));
  const queries: InstanceQuery[] = [];
  for (let from = 0; from < others.length; from += BATCH_MAX) {
    queries.push({ ...query, kinds: others.slice(from, from + BATCH_MAX) });
  }
  return queries;
}
