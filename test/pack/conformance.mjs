// The conformance suite of the packed library, as the author of a store runs it: node --test
// conformance.mjs
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replicaStore } from "ts-job";
import { storeConformance } from "ts-job/conformance";
import { LogFile } from "./my-store.ts";

storeConformance("my store", async () => {
  const folder = mkdtempSync(join(tmpdir(), "my-store-"));
  const store = replicaStore(new LogFile(join(folder, "jobs.log")));
  const end = async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  };
  return { store, end };
});
