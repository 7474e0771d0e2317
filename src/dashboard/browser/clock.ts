import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";

/** The time of the browser, in epoch milliseconds. */
export function nowMs(): number {
  return Date.now();
}

/** The current second, in epoch milliseconds; it does not advance while the page is hidden. */
export const second: Signal<number> = signal(Date.now());

/** Start of the current minute: for parts that need no update each second. */
export const minute: ReadonlySignal<number> = computed(() =>
  Math.floor(second.value / 60_000) * 60_000
);

/** Start the clock of {@link second}. */
export function startClock(): void {
  const tick = () => {
    if (!document.hidden) second.value = Date.now();
  };
  setInterval(tick, 1_000);
  document.addEventListener("visibilitychange", tick);
}

/** Call a function once after some milliseconds. @returns a function that cancels it */
export function after(ms: number, action: () => void): () => void {
  const timer = setTimeout(action, ms);
  return () => clearTimeout(timer);
}

/** Resolve after some milliseconds, or at once when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

/** A number in [0, 1). */
export function chance(): number {
  return Math.random();
}

/** A new UUID, which makes a repeated request the same request. */
export function newId(): string {
  // Only secure contexts have randomUUID: a daemon in a private network may serve plain HTTP.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = bytes[6]! & 0x0f | 0x40;
  bytes[8] = bytes[8]! & 0x3f | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
