import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { listeningPorts } from "../platform/listening_ports.ts";
import { answers } from "./listeners.ts";
import { runtimeDir } from "./socket_path.ts";

/** The socket and the token of a daemon, by its port. */
const OF_DAEMON = /^jobctl-(\d+)\.(sock|token)$/;
/** Temporary names, which are renamed to one of these within milliseconds. */
const DRAFT = /^(\.s-\w+|jobctl-\d+\.token\.[0-9a-f]+\.tmp)$/;
const DRAFT_MS_MAX = 60_000;

/**
 * Remove files that killed daemons of this user left in the runtime folder: sockets and tokens of
 * ports where nobody listens. A daemon listens before it creates them.
 *
 * @param nowMs epoch ms
 */
export async function removeStaleFiles(nowMs: number, folder = runtimeDir()): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  const live = new Set<number>();
  let ports: ReadonlySet<number> | null | undefined;
  // Sockets sort before tokens: a live one keeps the token of its port.
  for (const name of names.sort()) {
    const path = join(folder, name);
    const [, port, kind] = OF_DAEMON.exec(name) ?? [];
    if (port === undefined && !DRAFT.test(name)) continue;
    const found = await lstat(path).catch(() => null);
    if (found === null || found.uid !== process.getuid?.()) continue;
    if (port === undefined) {
      if (nowMs - found.mtimeMs < DRAFT_MS_MAX) continue;
    } else if (kind === "sock") {
      if (!found.isSocket()) continue;
      if (await answers(path)) {
        live.add(Number(port));
        continue;
      }
    } else if (live.has(Number(port))) continue;
    if (port !== undefined) {
      ports ??= await listeningPorts();
      if (ports === null || ports.has(Number(port))) continue;
    }
    await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}
