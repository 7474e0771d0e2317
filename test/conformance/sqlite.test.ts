import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/platform/clock.ts";
import { runtimeName } from "../../src/platform/system/runtime.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { exerciseStore } from "./suite.ts";

// Both runtimes have a driver of their own; where the database is, is the business of SQLite. So
// each runtime tries another place.
if (runtimeName() === "bun") {
  exerciseStore("SqliteStore", async () => {
    const folder = await mkdtemp(join(tmpdir(), "store-"));
    const store = new SqliteStore({ path: join(folder, "jobs.db"), defer: systemClock.defer });
    const end = async () => {
      await store.close();
      await rm(folder, { recursive: true });
    };
    return { store, end };
  });
} else {
  exerciseStore("SqliteStore in memory", async () => {
    const store = new SqliteStore({ path: ":memory:", defer: systemClock.defer });
    return { store, end: () => store.close() };
  });
}
