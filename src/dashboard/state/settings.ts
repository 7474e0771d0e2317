import { effect, type Signal } from "@preact/signals";
import { setting } from "../browser/storage.ts";

/** How the dashboard looks: as the system does, or always one way. */
export type Theme = "system" | "light" | "dark";

/** Whose clock times are shown by: UTC, the browser's, or the zone of the job they are about. */
export type ZoneChoice = "local" | "utc" | "job";

/** The chosen look. */
export const theme: Signal<Theme> = setting<Theme>("theme", ["system", "light", "dark"]);

/** The chosen clock. */
export const zoneChoice: Signal<ZoneChoice> = setting<ZoneChoice>("zone", ["local", "utc", "job"]);

/** Whether long lines of logs wrap. */
export const logWrap: Signal<"off" | "on"> = setting("log-wrap", ["off", "on"]);

const LOCAL_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/**
 * The zone that times are shown in.
 *
 * @param ofJob the zone of the job that they are about, if it has one
 */
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
