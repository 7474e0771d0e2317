/** How many connections each listener holds at once. */
export interface ConnectionLimits {
  readonly tcp: number;
  readonly unix: number;
  readonly http: number;
}

/** As many as any daemon holds. */
const MOST: ConnectionLimits = { tcp: 1_000, unix: 256, http: 256 };
/** As few as any daemon holds, whatever is left for them. */
const LEAST = 16;

/** Descriptors of the store, the logs, the modules and what else the daemon opens. */
const OWN_DESCRIPTORS = 128;
/** Descriptors of one worker: its pipes and channels, and those that it is being started with. */
const WORKER_DESCRIPTORS = 10;

/**
 * Shares out the descriptors that the daemon may have: attempts come first, so that no number of connections keeps one from
 * being started.
 *
 * @param descriptorsMax of the process; null when it is not known
 * @param workers attempts at once
 */
export function connectionLimits(
  descriptorsMax: number | null,
  workers: number,
): ConnectionLimits {
  if (descriptorsMax === null) return MOST;
  const left = descriptorsMax - OWN_DESCRIPTORS - WORKER_DESCRIPTORS * workers;
  const share = (part: number, most: number) =>
    Math.max(LEAST, Math.min(most, Math.floor(left * part)));
  return {
    tcp: share(0.6, MOST.tcp),
    unix: share(0.2, MOST.unix),
    http: share(0.2, MOST.http),
  };
}
