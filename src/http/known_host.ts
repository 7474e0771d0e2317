import { isIP } from "node:net";
import { bareHost, isLoopback } from "../core/address.ts";

/** The names by which clients may know this daemon. */
export interface KnownHosts {
  /** The host that it listens on. */
  readonly bound: string;
  /** Name of this machine. */
  readonly machine: string;
  /** Further names, from the configuration. */
  readonly others: readonly string[];
}

/**
 * Whether the Host header of a request names this daemon. Otherwise a page of another site has led a browser here by a name of
 * its own (DNS rebinding), and would read the answer.
 *
 * Addresses and the absence of a name are fine: no site can have those as its name.
 */
export function isKnownHost(header: string | undefined, known: KnownHosts): boolean {
  if (header === undefined || header === "") return true;
  const name = bareHost(header.replace(/:\d*$/, "")).toLowerCase().replace(/\.$/, "");
  if (isIP(name) !== 0 || name === "localhost" || name.endsWith(".localhost")) return true;
  const machine = known.machine.toLowerCase();
  if (name === machine) return true;
  // With its domain only where other machines ask: "web.evil.example" may be the name of a page that a browser of this one shows.
  if (!isLoopback(known.bound) && name.startsWith(`${machine}.`)) return true;
  return [known.bound, ...known.others].some((other) => bareHost(other).toLowerCase() === name);
}
