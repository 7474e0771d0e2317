import { argv, exit, stdout } from "node:process";
import { plainInstance } from "../../../src/conformance/world/plain_instance.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";

/**
 * An owner in its own process. It opens the named database, writes its instances, prints "ready"
 * and waits to be killed, or ends without closing: "exit", "throw", or "empty" for an empty event
 * loop.
 */
const path = argv[2]!;
const store = new SqliteStore({ path, defer: systemClock.defer });
const at = systemClock.now();
await store.open({ at, node: "child" });
const instance = (id: string) =>
  plainInstance({ id, dueAt: at.wallMs, keepSuccessMs: 0, keepFailureMs: 0 });
await store.enqueue({ at, instances: [instance("one"), instance("two")] });
await store.claim({ at, node: "child", kinds: new Set(["mail"]), limit: 1, leaseMs: 60_000 });
stdout.write("ready\n");
const end = argv[3];
if (end === "exit") exit(0);
if (end === "throw") throw new Error("Nobody catches this");
if (end === undefined) setInterval(() => {}, 60_000);
