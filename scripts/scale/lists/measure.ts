import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescMessage } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { systemClock } from "../../../src/platform/clock.ts";
import { Manager } from "../../../src/index.ts";
import { JobService, JobState } from "../../../src/rpc/gen/job_pb.ts";
import type { UnaryName } from "../../../src/rpc/backend.ts";
import { LocalBackend } from "../../../src/rpc/handlers/local_backend.ts";
import { openStore, scratchStore } from "../../bench/scratch_store.ts";
import { BUSY_SCHEDULE, fill, type Volume } from "./fill.ts";

const RUNS = 5;
const DAY_MS = 86_400_000;

/** What to measure, and where. */
export interface ScaleOptions {
  /** "sqlite", "valkey" or "etcd". */
  readonly store: string;
  /** Keep the SQLite file here; null: a temporary one. */
  readonly file: string | null;
  /** True if that file is there already. */
  readonly isFilled: boolean;
  readonly volume: Volume;
  readonly note: (text: string) => void;
}

/** The time that the server takes for one list, from bytes of a request to those of a response. */
export interface ListFigure {
  readonly name: string;
  readonly medianMs: number;
  readonly maxMs: number;
  /** The processor's time of this process, without that of a database server. */
  readonly cpuMs: number;
  /** Items of the response. */
  readonly items: number;
}

/** Fill a store and time every list that a dashboard shows. */
export async function measureLists(options: ScaleOptions): Promise<readonly ListFigure[]> {
  const { store: name, file, isFilled, volume, note } = options;
  const scratch = await scratchStore(name === "sqlite" ? "sqlite:" : name);
  const place = file === null ? scratch.options : { url: `sqlite:${file}` };
  try {
    if (!isFilled) {
      const store = file === null ? scratch.open() : openStore(place.url, "");
      await store.open({ at: systemClock.now(), node: "fill" });
      await fill(store, volume, (count) => note(`${count} instances`));
      await store.close();
    }
    note("filled");
    const manager = new Manager({ store: place, workers: 1 });
    await manager.start();
    note("opened");
    try {
      return await timeLists(new LocalBackend(manager as never), manager, volume);
    } finally {
      await manager.stop();
    }
  } finally {
    await scratch.clean();
  }
}

async function timeLists(
  backend: LocalBackend,
  manager: Manager,
  volume: Volume,
): Promise<ListFigure[]> {
  const call = { isCanceled: () => false, jobs: null };
  const complete = async (method: UnaryName, request: object) => {
    const schema: DescMessage = JobService.method[method].input;
    const bytes = toBinary(schema, create(schema, request as Record<string, unknown>));
    return await backend.complete(method, bytes, call);
  };
  const figures: ListFigure[] = [];
  for (const [name, method, request] of await listsOf(manager, volume)) {
    const times: number[] = [];
    const before = process.cpuUsage();
    let answer = new Uint8Array();
    for (let run = 0; run < RUNS; run++) {
      const from = performance.now();
      answer = new Uint8Array(await complete(method, request));
      times.push(performance.now() - from);
    }
    const { user, system } = process.cpuUsage(before);
    const cpuMs = (user + system) / 1_000 / RUNS;
    times.sort((left, right) => left - right);
    const output: DescMessage = JobService.method[method].output;
    const list = output.fields.find(({ fieldKind }) => fieldKind === "list");
    const message: object = fromBinary(output, answer);
    const items = list ? (Reflect.get(message, list.localName) as unknown[]).length : 0;
    figures.push({ name, medianMs: times[RUNS >> 1]!, maxMs: times.at(-1)!, cpuMs, items });
  }
  return figures;
}

type List = readonly [name: string, method: UnaryName, request: object];

async function listsOf(manager: Manager, { lines }: Volume): Promise<readonly List[]> {
  const now = systemClock.now().wallMs;
  const middle = BigInt(Math.ceil(lines / 2));
  const time = (daysAgo: number) => timestampFromMs(Math.round(now - daysAgo * DAY_MS));
  const { items: [last] } = await manager.lookupInstances({ kind: "k0" }, { limit: 1 });
  const { COMPLETED, TERMINATED, TIMED_OUT, SCHEDULED, PROCESSING } = JobState;
  const lookup = (name: string, query: object, more: object = {}): List => [
    `instances ${name}`,
    "lookupInstances",
    { query: { pageSize: 100, ...query }, brief: true, ...more },
  ];
  const count = (
    name: string,
    query: object,
  ): List => [`count ${name}`, "countInstances", { query }];
  const log = (name: string, more: object, query: object = {}): List => [
    `logs ${name}`,
    "lookupInstanceLogs",
    { query: { uuid: last!.id, pageSize: 500, ...query }, ...more },
  ];
  return [
    lookup("newest", {}),
    lookup("oldest", { oldestFirst: true }),
    lookup("of a job", { kind: "k0" }),
    lookup("of a rare job", { kind: "k190" }),
    lookup("completed", { states: [COMPLETED] }),
    lookup("failed", { states: [TERMINATED, TIMED_OUT] }),
    lookup("running", { states: [PROCESSING] }),
    lookup("waiting of a job", { kind: "k3", states: [SCHEDULED] }),
    lookup("of a day", { after: time(10), before: time(9) }),
    lookup("of a day, oldest", { after: time(10), before: time(9), oldestFirst: true }),
    lookup("failed of a job on a day", {
      kind: "k1",
      states: [TERMINATED],
      after: time(20),
      before: time(19),
    }),
    lookup("ended on a day", {
      endedAfter: time(10),
      endedBefore: time(9),
      after: time(11),
      before: time(9),
    }),
    lookup("by a frequent text", { text: "customer-1" }),
    lookup("by a rare text", { text: 'customer-49999"' }),
    lookup("by an unknown text", { text: "nobody" }),
    lookup("by text in a job", { text: "customer-77", kind: "k0" }),
    lookup("on a node", { node: "node-3" }),
    lookup("on an unknown node", { node: "node-99" }),
    lookup("of a schedule", { scheduleId: BUSY_SCHEDULE }),
    lookup("of an unknown key", { uniqueKey: "none" }),
    lookup("dead letters", { dead: true }),
    lookup("dead letters of a job", { dead: true, kind: "k0" }),
    ["an instance", "getInstance", { uuid: last!.id }],
    ["an instance by 12 characters", "getInstance", { uuid: last!.id.slice(0, 18) }],
    ["an instance by its end", "getInstance", { uuid: last!.id.slice(-8) }],
    count("all", {}),
    count("failed", { states: [TERMINATED, TIMED_OUT] }),
    count("of a day", { after: time(10), before: time(9) }),
    count("dead letters", { dead: true }),
    count("by text", { text: "customer-1" }),
    ["history of an instance", "lookupInstanceHistory", { query: { uuid: last!.id } }],
    ["history of a job on a day", "lookupInstanceHistory", {
      query: { kind: "k0", after: time(10), before: time(9), pageSize: 100 },
    }],
    log("from the start", {}),
    log("from the end", { newestFirst: true }),
    log("from a line", { fromLine: middle }),
    log("back from a line", { fromLine: middle, newestFirst: true }),
    ["statistics of a job", "getJobStats", { kind: "k0" }],
    ["statistics of a job, 30 days", "getJobStats", { kind: "k0", from: time(30), to: time(0) }],
    ["schedules", "listSchedules", { pageSize: 100 }],
    ["schedules of a job", "listSchedules", { kind: "k7", pageSize: 100 }],
    ["ticks of a job", "explain", { kind: "k0", limit: 50 }],
    ["ticks of a job, 30 days ago", "explain", { kind: "k0", limit: 50, before: time(30) }],
    ["due next", "listUpcoming", { limit: 50 }],
    ["due next of a job", "listUpcoming", { kind: "k5", limit: 50 }],
    ["status", "getStatus", {}],
    ["incidents", "listIncidents", {}],
    ["nodes", "listNodes", {}],
  ];
}
