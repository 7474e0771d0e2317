import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { formatCount } from "../text/format_time.ts";
import { Button } from "./button.tsx";

/** Most characters that are drawn at first: more takes a browser long, and nobody reads it. */
const CHARS_MAX = 4_000;

/** A text of any length: its begin, and a button that shows all of it. */
export function LongText({ text }: { readonly text: string }): JSX.Element {
  const isWhole = useSignal(false);
  if (text.length <= CHARS_MAX || isWhole.value) return <>{text}</>;
  return (
    <>
      {`${text.slice(0, CHARS_MAX)}… `}
      <Button class="plain" onClick={() => isWhole.value = true}>
        {`Show all ${formatCount(text.length)} characters`}
      </Button>
    </>
  );
}
