import { createReadStream } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";

const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"];
/** A line of these tables: number, local address and port, remote one, state 0A, …, user. */
const LISTENING = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ 0A \S+ \S+ \S+\s+(\d+) /;

/** Listening TCP ports of this machine, with the user's id; null if the system lists none. */
export async function listeningPorts(): Promise<ReadonlyMap<number, number> | null> {
  if (process.platform !== "linux") return null;
  const ports = new Map<number, number>();
  for (const table of TABLES) {
    try {
      for await (const line of createInterface({ input: createReadStream(table, "latin1") })) {
        const [, port, user] = LISTENING.exec(line) ?? [];
        if (port !== undefined) ports.set(Number.parseInt(port, 16), Number(user));
      }
    } catch {
      // A kernel without IPv6 has one table only.
      if (table === TABLES[0]) return null;
    }
  }
  return ports;
}
