import { argv, stdout } from "node:process";
import { systemClock } from "../../src/platform/clock.ts";
import { SqliteStore } from "../../src/store/sqlite/sqlite_store.ts";

/**
 * An owner in a process of its own: opens the database named, writes its instances, says "ready" and waits to be killed.
 */
const path = argv[2]!;
const store = new SqliteStore({ path, defer: systemClock.defer });
const at = systemClock.now();
await store.open({ at, node: "child" });
const instance = (id: string) => ({
  id,
  kind: "mail",
  priority: 5,
  queueKey: "mail",
  uniqueKey: null,
  argumentsJson: "[]",
  dueAt: at.wallMs,
  scheduleId: null,
  scheduledFor: null,
  retryOf: null,
  deadlineAt: null,
  retryMax: 0,
  crashesMax: 3,
  timeoutMs: 0,
  keepSuccessMs: 0,
  keepFailureMs: 0,
});
await store.enqueue({ at, instances: [instance("one"), instance("two")] });
await store.claim({ at, node: "child", kinds: new Set(["mail"]), limit: 1, leaseMs: 60_000 });
stdout.write("ready\n");
setInterval(() => {}, 60_000);
