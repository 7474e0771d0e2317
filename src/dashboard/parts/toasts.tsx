import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { toProblem } from "../api/problem.ts";
import { noteChange } from "../api/resource.ts";
import { after } from "../browser/clock.ts";
import { Button } from "./button.tsx";

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly hint?: string;
  readonly isError: boolean;
  readonly undo?: () => unknown;
  readonly link?: { readonly href: string; readonly text: string };
}

/** Time for which a message stays, in milliseconds; a failure stays until it is closed. */
const SHOWN_MS = 8_000;
const SHOWN_MAX = 4;

const toasts = signal<readonly Toast[]>([]);
let lastId = 0;

function close(id: number): void {
  toasts.value = toasts.peek().filter((one) => one.id !== id);
}

function show(toast: Omit<Toast, "id">): void {
  const id = ++lastId;
  toasts.value = [...toasts.peek(), { ...toast, id }].slice(-SHOWN_MAX);
  if (!toast.isError) after(SHOWN_MS, () => close(id));
}

/** Report a success, with a way to undo it or to look at it. */
export function toastDone(
  text: string,
  more: Pick<Toast, "undo" | "link" | "hint"> = {},
): void {
  show({ text, isError: false, ...more });
}

/** Report a failure, and the reason. */
function toastProblem(error: unknown): void {
  const { message, hint } = toProblem(error);
  show({ text: message, hint, isError: true });
}

/** Run an action, and report a failure. @returns true if it succeeded */
export async function attempt(action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    toastProblem(error);
    return false;
  }
}

/** Run an action that changes something, then read again what the page shows. */
export function change(action: () => Promise<unknown>): Promise<boolean> {
  return attempt(async () => {
    await action();
    noteChange();
  });
}

/** The messages, read out as they come. */
export function Toasts(): JSX.Element {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((toast) => (
        <div key={toast.id} class={toast.isError ? "toast toast-bad" : "toast"}>
          <p>
            {toast.text}
            {toast.hint !== undefined && <span class="hint">{toast.hint}</span>}
          </p>
          {toast.link !== undefined && <a href={toast.link.href}>{toast.link.text}</a>}
          {toast.undo !== undefined && (
            <Button
              class="plain"
              onClick={() => {
                close(toast.id);
                void attempt(async () => await toast.undo!());
              }}
            >
              Undo
            </Button>
          )}
          <Button
            class="plain"
            aria-label="Close"
            onClick={() =>
              close(toast.id)}
          >
            ×
          </Button>
        </div>
      ))}
    </div>
  );
}
