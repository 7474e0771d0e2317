/**
 * Source of `exactNow`, which gives the wall clock in milliseconds with decimals, for job modules
 * of other processes.
 *
 * `Date.now()` is whole and `performance.timeOrigin` is up to a millisecond off, so both are set
 * against each other at a change of the former.
 */
export const EXACT_CLOCK_SOURCE = `
let offset = -Infinity;
for (let tick = 0; tick < 5; tick++) {
  const before = Date.now();
  let now = before;
  let at = 0;
  while (now === before) {
    now = Date.now();
    at = performance.now();
  }
  // Read after the change, so never too large.
  offset = Math.max(offset, now - at);
}
function exactNow() {
  return offset + performance.now();
}
`;

/** The wall clock in milliseconds with decimals; see {@link EXACT_CLOCK_SOURCE}. */
export const exactNow: () => number = new Function(`${EXACT_CLOCK_SOURCE} return exactNow;`)();
