import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { JobState, WatchResponseSchema } from "../../../src/rpc/gen/job_pb.ts";
import { instance } from "./cli_messages.ts";
import { NOW } from "./cli_world.ts";

const ago = (ms: number) => timestampFromMs(NOW - ms);

/** The id that ends with `end`. */
export function idOf(end: string): string {
  return `01938f2c-7d3e-7000-8000-000000${end.padStart(6, "0")}`;
}

/** A running instance. */
export function runningOf(
  kind: string,
  end: string,
  changes: Parameters<typeof instance>[0] = {},
) {
  return instance({
    ...{ kind, uuid: idOf(end), state: JobState.PROCESSING, results: [], completedAt: undefined },
    ...{ processedAt: ago(125_000), node: "web1", ...changes },
  });
}

/** A failed instance. */
export function failedOf(kind: string, end: string, error: string) {
  return instance({
    ...{ kind, uuid: idOf(end), state: JobState.TERMINATED, results: [], completedAt: undefined },
    ...{ terminatedAt: ago(3_600_000), error, reason: "error" },
  });
}

/** The first message of a Watch stream, with something of everything. */
export function wholeMessage(
  changes: Parameters<typeof create<typeof WatchResponseSchema>>[1] = {},
) {
  const status = {
    ...{ node: "web1", version: "0.1.0", startedAt: ago(93_600_000), nodes: 2 },
    workers: { count: 8, busy: 3, alive: 8 },
  };
  const node = { id: "web1", state: "live", version: "0.1.0", workers: 8, busy: 3, tags: ["gpu"] };
  const totals = { scheduled: 12n, processing: 3n, completed: 3_211n, terminated: 2n };
  return create(WatchResponseSchema, {
    ...{ cursor: "1", at: ago(0), isWhole: true, status, totals },
    running: {
      instances: [
        runningOf("report", "a1b2c3", {
          progress: { done: 45, total: 100 },
          process: { rssBytes: 43_200_512n },
        }),
        runningOf("バックアップ", "d4e5f6", { progress: { done: 7 }, attempts: 3 }),
        runningOf("\u001b[2Jhostile\u202e", "0a0b0c", { cancelRequestedAt: ago(1_000) }),
      ],
    },
    upcoming: {
      runs: [
        { kind: "sync-orders", dueAt: ago(-133_000), scheduleId: "config:sync-orders:0" },
        { kind: "mail", dueAt: ago(-7_200_000), uuid: idOf("778899") },
      ],
    },
    failures: {
      instances: [
        failedOf("sync-orders", "112233", "exit 75: the shop does not respond\nand more"),
        failedOf("import", "445566", "\u001b]0;owned\u0007 could not read the file of the day"),
      ],
    },
    incidents: {
      incidents: [{
        ...{ id: "i1", type: "job", name: "sync-orders", events: ["failed"], count: 3n },
        ...{ openedAt: ago(5_400_000), lastAt: ago(3_600_000), lastUuid: idOf("112233") },
        lastError: "exit 75: the shop does not respond",
      }],
    },
    pauses: { pauses: [{ kind: "mail", reason: "", at: ago(0) }] },
    nodes: {
      nodes: [
        { ...node, seenAt: ago(1_000) },
        { ...node, id: "web2", state: "lost", seenAt: ago(60_000), tags: [] },
      ],
    },
    ...changes as object,
  });
}
