import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LogFile } from "../../examples/my-store.ts";
import { replicaStore } from "../../src/index.ts";
import { exerciseStore } from "./suite.ts";

exerciseStore("The store of docs/stores.md", async () => {
  const folder = await mkdtemp(join(tmpdir(), "my-store-"));
  const store = replicaStore(new LogFile(join(folder, "jobs.log")));
  const end = async () => {
    await store.close();
    await rm(folder, { recursive: true });
  };
  return { store, end };
});
