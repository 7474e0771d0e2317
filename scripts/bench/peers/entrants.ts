/** What an entrant keeps its jobs in. */
export type Server = "valkey" | "postgres" | "sqlite:" | "memory:";

/** One product with a setting. */
export interface Entrant {
  /** As the tables name it. */
  readonly label: string;
  /** As run_contender.ts names it. */
  readonly program: string;
  readonly server: Server;
}

function entrant(label: string, program: string, server: Server): Entrant {
  return { label, program, server };
}

const OURS_SQLITE = entrant("ts-job, SQLite", "ours-inline", "sqlite:");
const OURS_WORKERS = entrant("ts-job, SQLite, worker processes", "ours-workers", "sqlite:");
const OURS_VALKEY = entrant("ts-job, Valkey", "ours-inline", "valkey");
const BULLMQ = entrant("BullMQ, Valkey", "bullmq", "valkey");
const BULLMQ_SANDBOXED = entrant("BullMQ, Valkey, sandboxed", "bullmq-sandboxed", "valkey");
const BEE_QUEUE = entrant("bee-queue, Valkey", "bee-queue", "valkey");
const GRAPHILE = entrant("graphile-worker, defaults", "graphile-worker", "postgres");
const GRAPHILE_TUNED = entrant("graphile-worker, tuned", "graphile-worker-tuned", "postgres");
const PG_BOSS = entrant("pg-boss, tuned", "pg-boss-tuned", "postgres");

const QUEUES = [OURS_SQLITE, OURS_VALKEY, BULLMQ, BEE_QUEUE, GRAPHILE, GRAPHILE_TUNED, PG_BOSS];

/** What is measured side by side, by name, in the order of the turns. */
export const PARTS: Readonly<Record<string, readonly Entrant[]>> = {
  "end-to-end": [...QUEUES, OURS_WORKERS, BULLMQ_SANDBOXED],
  "enqueue": QUEUES,
  "pick-up": QUEUES,
  "delayed": QUEUES,
  "cron": [
    OURS_SQLITE,
    entrant("croner", "croner", "memory:"),
    entrant("node-cron", "node-cron", "memory:"),
  ],
};

/** One ratio of the part "end-to-end" that the product is judged by. */
export interface JudgedRatio {
  readonly ours: Entrant;
  readonly peer: Entrant;
  readonly atLeast: number;
}

/** All of them. */
export const JUDGED: readonly JudgedRatio[] = [
  { ours: OURS_SQLITE, peer: BULLMQ, atLeast: 3 },
  { ours: OURS_SQLITE, peer: GRAPHILE_TUNED, atLeast: 1.3 },
  { ours: OURS_WORKERS, peer: BULLMQ, atLeast: 1.5 },
  { ours: OURS_VALKEY, peer: BULLMQ, atLeast: 2.5 },
  { ours: OURS_VALKEY, peer: BEE_QUEUE, atLeast: 1.5 },
];
