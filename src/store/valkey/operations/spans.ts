import { isFinal, JOB_STATES } from "../../../core/state.ts";
import { checkBatch, checkLimit, checkTime } from "../../ledger/checks.ts";
import { checkGaps, checkSpans } from "../../ledger/reading/spans.ts";
import type { SpanCountRequest, SpanCounts, SpanReads, StateCounts } from "../../store.ts";
import { readInstances } from "../codec/instances.ts";
import type { Unpacker } from "../codec/msgpack.ts";
import { readFate } from "../codec/schedules.ts";
import type { OperationQueue } from "./operation_queue.ts";

/** Most counts that one call makes: a few milliseconds of the server. */
const COUNTS_MAX = 4_000;

/** A kind and a final state to count; null for unfinished instances. */
type Counted = Pick<SpanCounts, "kind" | "state">;

/** Reads by spans of time; `stats` returns the kinds with instances, with their states. */
export function spanReads(
  queue: OperationQueue,
  stats: () => Promise<{ readonly kinds: ReadonlyMap<string, StateCounts> }>,
): SpanReads {
  return {
    async countSpans(request) {
      checkSpans(request);
      const wanted = countedOf(request, (await stats()).kinds);
      const size = Math.max(1, Math.floor(COUNTS_MAX / request.bounds.length));
      const parts: Promise<readonly SpanCounts[]>[] = [];
      for (let from = 0; from < wanted.length; from += size) {
        parts.push(countPart(queue, request, wanted.slice(from, from + size)));
      }
      return (await Promise.all(parts)).flat();
    },

    async listLater({ after, before, kinds, limit }) {
      checkLimit(limit, "list waiting instances");
      checkTime(after, "after");
      checkTime(before, "before");
      if (kinds) checkBatch(kinds.length, "list waiting instances of");
      return await queue.read({
        action: "listLater",
        weight: limit,
        args: [after, before, kinds ? [...new Set(kinds)] : false, limit],
        read: readInstances,
      });
    },

    async listGaps(request) {
      checkGaps(request);
      const { after, before, skip = 0, limit } = request;
      return await queue.read({
        action: "listGaps",
        weight: limit,
        args: [after, before, skip, limit],
        read: (from) =>
          from.items(2, () => {
            const schedule = from.text();
            return readFate(schedule, from.bytes()!);
          }),
      });
    },
  };
}

function countedOf(
  { by, kinds }: SpanCountRequest,
  stored: ReadonlyMap<string, StateCounts>,
): readonly Counted[] {
  const wanted: Counted[] = [];
  for (const kind of kinds ? new Set(kinds) : stored.keys()) {
    const counts = stored.get(kind);
    if (counts === undefined) continue;
    const hasOpen = counts.created + counts.scheduled + counts.processing > 0;
    if (hasOpen) wanted.push({ kind, state: null });
    if (by === "due") continue;
    for (const state of JOB_STATES) {
      if (isFinal(state) && counts[state] > 0) wanted.push({ kind, state });
    }
  }
  return wanted;
}

async function countPart(
  queue: OperationQueue,
  request: SpanCountRequest,
  wanted: readonly Counted[],
): Promise<readonly SpanCounts[]> {
  const counted: SpanCounts[] = [];
  let left = wanted;
  while (left.length > 0) {
    const [count, found] = await countSome(queue, request, left);
    for (const [place, counts] of found) {
      counted.push({ ...left[place - 1]!, counts, isEstimate: false });
    }
    left = left.slice(count);
  }
  return counted;
}

/** Count the first ones; returns their number, and the counts by their places. */
function countSome(
  queue: OperationQueue,
  { by, bounds }: SpanCountRequest,
  wanted: readonly Counted[],
): Promise<readonly [number, readonly (readonly [number, readonly number[]])[]]> {
  const places = wanted.map(({ kind, state }) => [
    kind,
    state === null ? 0 : JOB_STATES.indexOf(state),
  ]);
  return queue.read({
    action: "countSpans",
    weight: COUNTS_MAX / 4,
    args: [by, bounds.map(Math.ceil), places],
    read: (from: Unpacker) =>
      from.read() as readonly [number, readonly (readonly [number, readonly number[]])[]],
  });
}
