import { JobError } from "../core/errors.ts";
import { MemoryStore } from "./memory/memory_store.ts";
import { SqliteStore } from "./sqlite/sqlite_store.ts";
import type { Store } from "./store.ts";

/**
 * The store that the configuration names, not yet open.
 *
 * @throws JobError `invalid_config` for SQLite without a path
 */
export function createStore(
  config: { readonly type: "memory" | "sqlite"; readonly path: string | null },
  options: { readonly defer: (callback: () => void) => void },
): Store {
  if (config.type === "memory") return new MemoryStore();
  if (config.path === null) {
    throw new JobError("invalid_config", 'Cannot use store "sqlite": it has no path', {
      path: "store.url",
      hint: 'Write store.url = "sqlite:PATH"',
    });
  }
  return new SqliteStore({ path: config.path, defer: options.defer });
}
