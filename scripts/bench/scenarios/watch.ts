import type { JobClient } from "../../../src/rpc/client/client.ts";
import { type Daemon, startDaemon } from "../../../test/support/processes/daemon.ts";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { cpuBetween, processCost } from "../machine.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { scratchStore } from "../scratch_store.ts";
import { quantile } from "../statistics.ts";
import { wait } from "../wait.ts";

const WATCHERS = 50;
/** Instances a second, accepted in batches and due one after the other. */
const RATE = 1_000;
const BATCH_MS = 100;
/** How long before they are due. */
const LEAD_MS = 500;
const LOAD_MS = 10_000;
const PAGE = 1_000;

/** How often a page that shows a list reads it again while something changes. */
const READ_MS = 2_000;
/** What such a page reads. */
const LIST = "/api/v1/instances?page_size=50&brief=true";

/**
 * The cost of 50 open pages of a dashboard: the daemon's processor time under load with and without
 * them, in turns, and how late instances start. The pages first only watch, as the first page does,
 * then each also reads a list again and again.
 */
async function measure(settings: Settings): Promise<Figures> {
  const scratch = await scratchStore(settings.store);
  const daemon = await startDaemon({
    toml: '[worker]\ncount = 16\nisolation = "inline"\n[server]\nauth = { mode = "none" }\n',
    modules: { "noop.ts": "export default function noop(n: number): void { void n; }\n" },
    env: { ...scratch.env, JOBCTL_SERVER_AUTH_TOKEN_FILE: undefined },
  });
  try {
    const client = daemon.client();
    const loadMs = scaled(settings, LOAD_MS, 300);
    await load(daemon, client, loadMs);
    const alone = await load(daemon, client, loadMs);
    const pages = await openPages(daemon);
    await wait(scaled(settings, 2_000, 100));
    const watched = await load(daemon, client, loadMs);
    const events = pages.events();
    const stopReading = readLists(daemon);
    const read = await load(daemon, client, loadMs);
    await stopReading();
    pages.close();
    const again = await load(daemon, client, loadMs);
    const aloneCpu = (alone.cpu + again.cpu) / 2;
    return {
      "alone-p99": quantile([...alone.late, ...again.late], 0.99),
      "watched-p99": quantile(watched.late, 0.99),
      "alone-cpu": aloneCpu,
      "watched-cpu": watched.cpu,
      "more-cpu": watched.cpu - aloneCpu,
      "lists-p99": quantile(read.late, 0.99),
      "lists-more-cpu": read.cpu - aloneCpu,
      "events": events / WATCHERS / (loadMs / 1_000),
    };
  } finally {
    await daemon.stop();
    await scratch.clean();
  }
}

/** Run instances at a steady rate. Returns how late each began, in ms, and the cost. */
async function load(
  daemon: Daemon,
  client: JobClient,
  loadMs: number,
): Promise<{ readonly late: readonly number[]; readonly cpu: number }> {
  const begin = Date.now();
  const before = processCost(daemon.pid);
  const calls: Promise<unknown>[] = [];
  const each = RATE * BATCH_MS / 1_000;
  for (let from = 0; from < loadMs; from += BATCH_MS) {
    await wait(Math.max(0, begin + from - Date.now()));
    const requests = Array.from({ length: each }, (_, index) => ({
      kind: "noop",
      arguments: [String(index)],
      at: timestampFromMs(begin + from + LEAD_MS + Math.floor(index * BATCH_MS / each)),
    }));
    calls.push(client.scheduleJobs({ requests }));
  }
  await Promise.all(calls);
  await wait(LEAD_MS + BATCH_MS);
  const cpu = cpuBetween(before, processCost(daemon.pid)) / (Date.now() - begin) * 100;
  return { late: await lateSince(client, begin), cpu };
}

/** How late each instance since a time began, in ms. */
async function lateSince(client: JobClient, begin: number): Promise<readonly number[]> {
  const late: number[] = [];
  let pageToken: string | undefined;
  do {
    const query = {
      ...{ states: [JobState.COMPLETED], after: timestampFromMs(begin), pageSize: PAGE },
      ...(pageToken === undefined ? {} : { pageToken }),
    };
    const page = await client.lookupInstances({ query });
    for (const { dueAt, processedAt } of page.instances) {
      if (dueAt && processedAt) late.push(msOf(processedAt) - msOf(dueAt));
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return late;
}

function msOf({ seconds, nanos }: { readonly seconds: bigint; readonly nanos: number }): number {
  return Number(seconds) * 1_000 + nanos / 1e6;
}

function urlOf(daemon: Daemon, path: string): string {
  return `http://127.0.0.1:${daemon.httpPort}${path}`;
}

/** Read a list as {@link WATCHERS} pages do, spread evenly, until the result is called. */
function readLists(daemon: Daemon): () => Promise<void> {
  let isOver = false;
  const readers = Array.from({ length: WATCHERS }, async (_, index) => {
    await wait(index * READ_MS / WATCHERS);
    while (!isOver) {
      const response = await fetch(urlOf(daemon, LIST));
      if (!response.ok) throw new Error(`${LIST}: ${response.status}`);
      await response.arrayBuffer();
      await wait(READ_MS);
    }
  });
  return async () => {
    isOver = true;
    await Promise.all(readers);
  };
}

/** Open pages: each loads what the first page consists of, and then watches. */
async function openPages(
  daemon: Daemon,
): Promise<{ readonly events: () => number; readonly close: () => void }> {
  const abort = new AbortController();
  let events = 0;
  const url = urlOf(daemon, "/api/v1/watch");
  await Promise.all(Array.from({ length: WATCHERS }, async () => {
    const page = await (await fetch(urlOf(daemon, "/"))).text();
    for (const [, file] of page.matchAll(/(?:src|href)="([^"]+)"/g)) {
      await (await fetch(new URL(file!, urlOf(daemon, "/")))).arrayBuffer();
    }
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    const read = async () => {
      const decoder = new TextDecoder();
      for await (const chunk of response.body!) {
        events += decoder.decode(chunk, { stream: true }).split("\ndata:").length - 1;
      }
    };
    read().catch(() => {});
  }));
  return { events: () => events, close: () => abort.abort() };
}

/** What open pages of the dashboard cost. */
export const WATCH: readonly Scenario[] = [
  {
    name: "watch",
    about: "compiled daemon at 1,000 instances/s: lateness and processor with 50 open pages",
    usesStore: true,
    figures: [
      { name: "alone-p99", unit: "ms", better: "lower" },
      { name: "watched-p99", unit: "ms", better: "lower" },
      { name: "alone-cpu", unit: "% of a core", better: "lower" },
      { name: "watched-cpu", unit: "% of a core", better: "lower" },
      { name: "more-cpu", unit: "% of a core", better: "lower", target: { sqlite: 5 } },
      { name: "lists-p99", unit: "ms", better: "lower" },
      { name: "lists-more-cpu", unit: "% of a core", better: "lower" },
      { name: "events", unit: "events/s a page", better: "lower" },
    ],
    run: measure,
  },
];
