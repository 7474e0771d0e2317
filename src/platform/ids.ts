import type { Clock } from "./clock.ts";
import type { Random } from "./random.ts";

/** Makes UUIDs version 7 that increase within one process. */
export type IdSource = () => string;

/** Longest counter before the timestamp is moved on: 12 bits. */
const COUNTER_MAX = 0xfff;

/** Each byte in two digits. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/**
 * A source of UUIDs version 7 (RFC 9562, method 1: a counter in `rand_a`), strictly increasing even when the clock stands or
 * goes back.
 */
export function createIdSource(clock: Clock, random: Random): IdSource {
  let lastMs = 0;
  let counter = 0;
  // The same for all of a millisecond.
  let time = "";
  return () => {
    const nowMs = clock.now().wallMs;
    if (nowMs > lastMs || counter === COUNTER_MAX) {
      lastMs = Math.max(nowMs, lastMs + 1);
      counter = 0;
      const hex = lastMs.toString(16).padStart(12, "0");
      time = `${hex.slice(0, 8)}-${hex.slice(8)}-7`;
    } else counter += 1;
    const tail = random.bytes(8);
    const hex = (at: number) => HEX[tail[at]!]!;
    const count = HEX[counter >> 4]! + HEX[counter & 0xf]![1]!;
    const variant = HEX[(tail[0]! & 0x3f) | 0x80]!;
    const last = hex(2) + hex(3) + hex(4) + hex(5) + hex(6) + hex(7);
    return `${time}${count}-${variant}${hex(1)}-${last}`;
  };
}
