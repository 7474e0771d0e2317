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
  return () => {
    const nowMs = clock.now().wallMs;
    if (nowMs > lastMs) {
      lastMs = nowMs;
      counter = 0;
    } else if (counter === COUNTER_MAX) {
      lastMs += 1;
      counter = 0;
    } else {
      counter += 1;
    }
    const tail = random.bytes(8);
    tail[0] = (tail[0]! & 0x3f) | 0x80;
    let hex = "";
    for (const byte of tail) hex += HEX[byte]!;
    const time = lastMs.toString(16).padStart(12, "0");
    const count = counter.toString(16).padStart(3, "0");
    return `${time.slice(0, 8)}-${time.slice(8)}-7${count}-${hex.slice(0, 4)}-${hex.slice(4)}`;
  };
}
