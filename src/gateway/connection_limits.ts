/** Most concurrent connections of each listener. */
export interface ConnectionLimits {
  readonly tcp: number;
  readonly unix: number;
  readonly http: number;
}

/** Upper bounds for any daemon. */
const MOST: ConnectionLimits = { tcp: 1_000, unix: 256, http: 256 };
/** Lower bound of each, even if few descriptors are left. */
const LEAST = 16;

/** Descriptors for the store, logs, modules and other files of the daemon. */
const OWN_DESCRIPTORS = 128;
/** Descriptors for one worker: its pipes and channels, including those used while it starts. */
const WORKER_DESCRIPTORS = 10;

/**
 * Divide the daemon's descriptors. Attempts come first: connections must never keep one from
 * starting.
 *
 * @param descriptorsMax limit of the process; null if unknown
 * @param workers most concurrent attempts
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
