import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A store for one measurement that nothing else uses. */
export interface ScratchStore {
  /** For `store.url`, and for `store` of the library. */
  readonly url: string;
  /** A folder for what else the measurement writes. */
  readonly dir: string;
  /** Take away what was written; call when nothing uses the store any more. */
  clean(): Promise<void>;
}

/** An empty store of the kind that `store` names. */
export async function scratchStore(store: string): Promise<ScratchStore> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-bench-"));
  const clean = async () => rmSync(dir, { recursive: true, force: true });
  if (store === "sqlite:") return { url: `sqlite:${join(dir, "bench.db")}`, dir, clean };
  return { url: store, dir, clean };
}
