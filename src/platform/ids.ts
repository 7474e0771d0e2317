import { Buffer } from "node:buffer";
import type { Clock } from "./clock.ts";
import type { Random } from "./random.ts";

/** Makes UUIDs version 7 that increase within one process. */
export type IdSource = () => string;

/** Longest counter before the timestamp is moved on: 12 bits. */
const COUNTER_MAX = 0xfff;
/** Random digits of one id. */
const TAIL_DIGITS = 16;
/** Ids whose random digits are made at once: bytes become text in one step. */
const DRAWN_IDS = 64;

const HEX = "0123456789abcdef";

/**
 * A source of UUIDs version 7 (RFC 9562, method 1: a counter in `rand_a`). They strictly increase,
 * even if the clock stops or goes back.
 */
export function createIdSource(clock: Clock, random: Random): IdSource {
  let lastMs = 0;
  let counter = 0;
  // The same within a millisecond.
  let time = "";
  // Random digits, and the number of used ones.
  let digits = "";
  let used = 0;
  return () => {
    const nowMs = clock.now().wallMs;
    if (nowMs > lastMs || counter === COUNTER_MAX) {
      lastMs = Math.max(nowMs, lastMs + 1);
      counter = 0;
      const hex = lastMs.toString(16).padStart(12, "0");
      time = `${hex.slice(0, 8)}-${hex.slice(8)}-7`;
    } else counter += 1;
    if (used === digits.length) {
      digits = Buffer.from(random.bytes(DRAWN_IDS * TAIL_DIGITS / 2)).toString("hex");
      used = 0;
    }
    const count = HEX[counter >> 8]! + HEX[counter >> 4 & 0xf]! + HEX[counter & 0xf]!;
    const tail = digits.slice(used, used += TAIL_DIGITS);
    const variant = "89ab"[parseInt(tail[0]!, 16) & 3]!;
    return `${time}${count}-${variant}${tail.slice(1, 4)}-${tail.slice(4)}`;
  };
}

/** When a UUID version 7 was made, in milliseconds since the epoch by the clock of its host. */
export function timeOfId(id: string): number {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
