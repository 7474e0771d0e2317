import { orElse } from "../../core/or_else.ts";
import { effect, type Signal, signal } from "@preact/signals";

/** Begin of all names: other programs may have the same origin. */
const PREFIX = "jobctl.";

function read(name: string): string | null {
  // Storage is off in some private windows.
  return orElse(() => localStorage.getItem(PREFIX + name), null);
}

/** A setting that the browser remembers. @param values the first one is the default */
function setting<T extends string>(name: string, values: readonly T[]): Signal<T> {
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

/** Appearance of the dashboard: like the system's, or fixed. */
export type Theme = "system" | "light" | "dark";

/** The clock that times are shown by: UTC, the browser's, or the zone of their job. */
export type ZoneChoice = "local" | "utc" | "job";

/** The chosen look. */
export const theme: Signal<Theme> = setting<Theme>("theme", ["system", "light", "dark"]);

/** The chosen clock. */
export const zoneChoice: Signal<ZoneChoice> = setting<ZoneChoice>("zone", ["local", "utc", "job"]);

/** True if long lines of logs wrap. */
export const logWrap: Signal<"off" | "on"> = setting("log-wrap", ["off", "on"]);

const LOCAL_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The zone for shown times. @param ofJob the zone of their job, if any */
export function shownZone(ofJob?: string): string {
  if (zoneChoice.value === "utc") return "UTC";
  if (zoneChoice.value === "job" && ofJob !== undefined && ofJob !== "") return ofJob;
  return LOCAL_ZONE;
}

/** Apply the chosen look. */
export function startTheme(): void {
  effect(() => {
    const root = document.documentElement;
    if (theme.value === "system") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", theme.value);
  });
}
