/** Something that is called again and again. */
export type Call = () => Promise<unknown>;

/**
 * Parts of the calls between which the sides take turns: the machine's speed changes within
 * seconds.
 */
const TURNS = 8;

/** Calls a second of each, which take turns. */
export async function inTurns(
  both: readonly Call[],
  callers: number,
  calls: number,
): Promise<readonly number[]> {
  const seconds = both.map(() => 0);
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [index, call] of both.entries()) {
      seconds[index]! += await secondsOf(call, callers, calls / TURNS);
    }
  }
  return seconds.map((taken) => calls / taken);
}

/** How long about `calls` calls take, in seconds. */
export async function secondsOf(call: Call, callers: number, calls: number): Promise<number> {
  const each = Math.ceil(calls / callers);
  const started = performance.now();
  await Promise.all(Array.from({ length: callers }, async () => {
    for (let count = 0; count < each; count++) await call();
  }));
  return (performance.now() - started) / 1_000 * calls / (each * callers);
}
