import { effect, type Signal, signal } from "@preact/signals";

/** Begin of all names: other programs may have the same origin. */
const PREFIX = "jobctl.";

function read(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    // Storage is off in some private windows.
    return null;
  }
}

/**
 * A setting that the browser remembers.
 *
 * @param values the possible ones; the first is the default
 */
export function setting<T extends string>(name: string, values: readonly T[]): Signal<T> {
  const kept = read(name);
  const value = signal(values.find((one) => one === kept) ?? values[0]!);
  effect(() => {
    try {
      localStorage.setItem(PREFIX + name, value.value);
    } catch {
      // The setting lasts as long as the page.
    }
  });
  return value;
}
