import { signal } from "@preact/signals";
import { nowMs } from "../browser/clock.ts";
import { go, href } from "../state/router.ts";

/** A place that `g` and a letter lead to. */
export interface Jump {
  readonly key: string;
  readonly path: string;
  readonly title: string;
}

/** True while the list of shortcuts is open. */
export const isHelpOpen = signal(false);

/** True while the search is open. */
export const isSearchOpen = signal(false);

/** Longest pause between `g` and the letter, in milliseconds. */
const CHORD_MS = 1_500;

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName)) &&
    !(target instanceof HTMLInputElement && ["checkbox", "radio", "button"].includes(target.type));
}

function isVisible(element: HTMLElement): boolean {
  return element.getClientRects().length > 0;
}

function moveRow(step: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")].filter(isVisible);
  if (rows.length === 0) return;
  const focused = document.activeElement?.closest("tr, li, [data-item]");
  const at = rows.findIndex((row) =>
    row === document.activeElement || focused !== null && focused?.contains(row)
  );
  const next = at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step;
  const row = rows[Math.min(rows.length - 1, Math.max(0, next))]!;
  row.focus();
  row.scrollIntoView({ block: "nearest" });
}

function toggleRow(): void {
  const row = document.activeElement?.closest("tr, li, [data-item]");
  row?.querySelector<HTMLInputElement>('input[type="checkbox"]')?.click();
}

const ACTIONS: Readonly<Record<string, () => void>> = {
  "/": () => isSearchOpen.value = true,
  "?": () => isHelpOpen.value = true,
  "j": () => moveRow(1),
  "k": () => moveRow(-1),
  "x": toggleRow,
  "f": () => document.querySelector<HTMLElement>("main [data-filter]")?.focus(),
};

/** Listen to the keys of the page. */
export function startKeyboard(jumps: readonly Jump[]): void {
  let chordAtMs = -Infinity;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "k") {
      event.preventDefault();
      isSearchOpen.value = true;
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]") !== null) return;
    const isChord = nowMs() - chordAtMs < CHORD_MS;
    chordAtMs = -Infinity;
    const jump = isChord ? jumps.find(({ key }) => key === event.key) : undefined;
    if (jump !== undefined) {
      event.preventDefault();
      go(href(jump.path));
    } else if (event.key === "g") {
      chordAtMs = nowMs();
    } else if (ACTIONS[event.key] !== undefined) {
      event.preventDefault();
      ACTIONS[event.key]!();
    }
  });
}
