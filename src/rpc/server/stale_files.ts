import { lstatSync, rmSync, type Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { listeningPorts } from "../../platform/network/listening_ports.ts";
import { isListening, runtimeDir } from "../socket_path.ts";

/** Socket and token of a daemon, named by its port. */
const OF_DAEMON = /^jobctl-(\d+)\.(sock|token)$/;
/** Drafts of these files, which are renamed within milliseconds. */
const DRAFT = /^(\.s-\w+|jobctl-\d+\.token\.[0-9a-f]+\.tmp)$/;
const DRAFT_MS_MAX = 60_000;

interface Suspect {
  readonly path: string;
  /** Null for a draft. */
  readonly port: number | null;
  readonly isSocket: boolean;
  readonly found: Stats;
}

/**
 * Remove files that killed daemons of this user left in the runtime folder: sockets and tokens of
 * ports where nobody listens.
 *
 * A daemon listens before it creates its files. So a file found before the ports are read is stale
 * if nobody listens, unless a daemon that has started since has replaced it.
 *
 * @param nowMs epoch ms
 * @param readPorts returns the ports where a process listens; null if unknown
 */
export async function removeStaleFiles(
  nowMs: number,
  folder = runtimeDir(),
  readPorts: () => Promise<Pick<ReadonlySet<number>, "has"> | null> = listeningPorts,
): Promise<void> {
  const suspects = await findSuspects(nowMs, folder);
  if (suspects.length === 0) return;
  const ports = suspects.some(({ port }) => port !== null) ? await readPorts() : null;
  const live = new Set<number>();
  for (const { path, port, isSocket } of suspects) {
    // A probe makes a daemon load the code for calls, even this one.
    const isDoubtful = isSocket && ports !== null && !ports.has(port!);
    if (isDoubtful && await isListening(path)) live.add(port!);
  }
  for (const { path, port, found } of suspects) {
    if (port !== null && (ports === null || ports.has(port) || live.has(port))) continue;
    try {
      // Without a pause between check and removal in which a daemon could start.
      if (isSame(found, lstatSync(path))) rmSync(path, { recursive: true, force: true });
    } catch {
      // It is gone already, or cannot be removed.
    }
  }
}

async function findSuspects(nowMs: number, folder: string): Promise<readonly Suspect[]> {
  const suspects: Suspect[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const [, port, kind] = OF_DAEMON.exec(name) ?? [];
    if (port === undefined && !DRAFT.test(name)) continue;
    const found = await lstat(path).catch(() => null);
    if (found === null || found.uid !== process.getuid?.()) continue;
    if (port === undefined && nowMs - found.mtimeMs < DRAFT_MS_MAX) continue;
    const isSocket = kind === "sock";
    if (isSocket && !found.isSocket()) continue;
    suspects.push({ path, port: port === undefined ? null : Number(port), isSocket, found });
  }
  return suspects;
}

function isSame(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.ctimeMs === other.ctimeMs;
}
