// A separate file: it guards every path against DNS rebinding, and has its own tests.

import { isIP } from "node:net";
import { bareHost, isLoopback } from "../../core/address.ts";

/** The host names that clients may use for this daemon. */
export interface KnownHosts {
  readonly bound: string;
  readonly machine: string;
  readonly others: readonly string[];
}

/**
 * True if the Host header of a request names this daemon. If not, a page of another site may have
 * led a browser here under its own name (DNS rebinding) to read the response.
 *
 * Addresses and a missing name are fine: no site can use those as its name.
 */
export function isKnownHost(header: string | undefined, known: KnownHosts): boolean {
  if (header === undefined || header === "") return true;
  const name = bareHost(header.replace(/:\d*$/, "")).toLowerCase().replace(/\.$/, "");
  if (isIP(name) !== 0 || name === "localhost" || name.endsWith(".localhost")) return true;
  const machine = known.machine.toLowerCase();
  if (name === machine) return true;
  // On loopback the machine's name with a domain is refused: a browser of this machine may show a
  // page of "web.evil.example".
  if (!isLoopback(known.bound) && name.startsWith(`${machine}.`)) return true;
  return [known.bound, ...known.others].some((other) => bareHost(other).toLowerCase() === name);
}
