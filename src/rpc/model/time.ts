// A separate file: the command line uses it without messages.

/** A point in time in a message. */
export interface Time {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** Its epoch ms. */
export function msOfTime({ seconds, nanos }: Time): number {
  return Number(seconds) * 1_000 + Math.floor(nanos / 1e6);
}

/** The point in time of epoch ms. */
export function timeOfMs(ms: number): Time {
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1_000) * 1_000_000 };
}
