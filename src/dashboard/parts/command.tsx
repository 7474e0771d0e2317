import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { shellWord } from "../../core/text/shell_word.ts";
import { after } from "../browser/clock.ts";
import { copyText } from "../browser/clipboard.ts";

/** Time for which a button reports a copy, in milliseconds. */
const COPIED_MS = 1_500;

/** A button that copies a text. */
export function CopyButton({ text, label }: {
  readonly text: string;
  readonly label: string;
}): JSX.Element {
  const isCopied = useSignal(false);
  return (
    <button
      type="button"
      class="plain copy"
      aria-label={label}
      title={label}
      onClick={async () => {
        isCopied.value = await copyText(text);
        after(COPIED_MS, () => isCopied.value = false);
      }}
    >
      {isCopied.value ? "Copied" : "Copy"}
    </button>
  );
}

/** A command line of `jobctl`, to copy. */
export function CopyCommand({ words }: { readonly words: readonly string[] }): JSX.Element {
  const text = ["jobctl", ...words].map(shellWord).join(" ");
  return (
    <div class="command">
      <code>
        <span aria-hidden="true" class="prompt">$</span>
        {text}
      </code>
      <CopyButton text={text} label="Copy the command" />
    </div>
  );
}
