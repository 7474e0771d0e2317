import { toJobError } from "../../core/errors.ts";
import { afterLook } from "../../core/notices/gone_subject.ts";
import { readSubject, writeSubject } from "../../core/notices/subject_state.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { JOB_MEMO, type Memo, type NodeRecord } from "../../store/store.ts";
import { memosOf, tryPutMemo } from "../context/memos.ts";
import type { NoticeContext } from "../context/notice_context.ts";
import { channelOfKind } from "../context/notice_kinds.ts";

/** Interval between a node's looks for incidents whose subject is gone, in milliseconds. */
const LOOK_EVERY_MS = 3_600_000;
/** Time before the first look after a start or a reload, in which other nodes can return. */
const FIRST_LOOK_MS = 60_000;
/** Key prefixes of memos whose subjects may be gone. Channels have the prefix of jobs. */
const PREFIXES = [JOB_MEMO, "node:", "daemon:"] as const;

type GoneContext = Pick<
  NoticeContext,
  "store" | "clock" | "logger" | "node" | "findJob" | "channels"
>;

/** The nodes that are live now, and the time by the clock of the store. */
export interface LiveNodes {
  readonly nodes: readonly NodeRecord[];
  /** Epoch ms; null, so unknown, if this node is not among the store's nodes. */
  readonly now: number | null;
}

/**
 * Closes the incidents of jobs, channels and nodes that no live node has had for a day, without a
 * notice. Every node with channels looks; a change by one leaves nothing for the others.
 */
export class GoneIncidents {
  readonly #context: GoneContext;
  readonly #timer: LazyTimer;
  #isStarted = false;

  constructor(context: GoneContext) {
    this.#context = context;
    this.#timer = new LazyTimer(context.clock, () => void this.#look());
  }

  /** Look regularly; call it again after a reload, which may have brought a subject back. */
  start(): void {
    this.#isStarted = true;
    this.#timer.setWithin(FIRST_LOOK_MS);
  }

  stop(): void {
    this.#isStarted = false;
    this.#timer.cancel();
  }

  async #look(): Promise<void> {
    const { logger } = this.#context;
    try {
      await this.#lookAtAll();
    } catch (error) {
      logger.debug(toJobError(error, "Cannot close incidents of what is gone").message);
    }
    if (this.#isStarted) this.#timer.setWithin(LOOK_EVERY_MS);
  }

  async #lookAtAll(): Promise<void> {
    const open: Memo[] = [];
    for (const prefix of PREFIXES) {
      for await (const memo of memosOf(prefix, this.#context)) {
        if (memo.data.includes('"closedAt":null')) open.push(memo);
      }
    }
    if (open.length === 0) return;
    // Read after the memos: a node that reports a problem has joined before.
    const live = await liveNodes(this.#context);
    for (const memo of open) {
      if (!this.#isStarted || live.now === null) return;
      await this.#lookAt(memo, live, live.now);
    }
  }

  async #lookAt(memo: Memo, live: LiveNodes, now: number): Promise<void> {
    const { key, version, news, droppedNews } = memo;
    // Waiting news are processed first, and may end it.
    if (news.length + droppedNews > 0) return;
    const { store, clock } = this.#context;
    const state = afterLook(readSubject(memo.data), {
      isGone: isGone(key, live, this.#context) || isGoneNode(key, live),
      now,
    });
    if (state === null) return;
    const watch = state.incident?.closedAt === null ? memo.watch : "failures";
    await tryPutMemo({
      at: clock.now(),
      key,
      expectedVersion: version,
      isProcessed: false,
      value: { watch, data: writeSubject(state) },
      instances: [],
    }, { store });
  }
}

/** The nodes that are live now. */
export async function liveNodes(
  { store, clock, node }: Pick<NoticeContext, "store" | "clock" | "node">,
): Promise<LiveNodes> {
  const at = clock.now();
  const records = (await store.listNodes({ at })).filter(({ leftAt }) => leftAt === null);
  // Reports have the store's time, which may be far from our clock. Ours are minutes old.
  const isHere = records.some(({ id }) => id === node);
  const now = isHere ? Math.max(...records.map(({ seenAt }) => seenAt)) : null;
  return { nodes: records.filter(({ until }) => until > (now ?? at.wallMs)), now };
}

/** True if a memo belongs to a job or channel that no live node has any more. */
export function isGone(
  key: string,
  { nodes }: LiveNodes,
  { findJob, channels }: Pick<NoticeContext, "findJob" | "channels">,
): boolean {
  if (!key.startsWith(JOB_MEMO)) return false;
  // The memo of a channel is about the kind of its deliveries, which the nodes list too.
  const kind = key.slice(JOB_MEMO.length);
  const channel = channelOfKind(kind);
  if (channel === null ? findJob(kind) !== undefined : channels.has(channel)) return false;
  return !nodes.some(({ kinds, idle }) => kinds.includes(kind) || idle.includes(kind));
}

/** True if a memo belongs to a node, or its daemon, that is not live. */
function isGoneNode(key: string, { nodes }: LiveNodes): boolean {
  const id = /^(?:node|daemon):(.*)$/s.exec(key)?.[1];
  return id !== undefined && nodes.every((node) => node.id !== id);
}
