import { type Daemon, startDaemon } from "../../test/support/processes/daemon.ts";
import type { Settings } from "./scenario.ts";
import { scratchStore } from "./scratch_store.ts";

/** Start a daemon of the compiled file for `action`, and end it. */
export async function withDaemon<T>(
  settings: Settings,
  toml: string,
  action: (daemon: Daemon, startMs: number) => Promise<T>,
): Promise<T> {
  const scratch = await scratchStore(settings.store);
  const options = { toml: "modules = []\n" + toml, env: scratch.env };
  try {
    const begunAt = performance.now();
    const daemon = await startDaemon(options);
    try {
      return await action(daemon, performance.now() - begunAt);
    } finally {
      await daemon.stop();
    }
  } finally {
    await scratch.clean();
  }
}
