import { makeVisible } from "../../core/text/safe_text.ts";
import type { CliIo, TextSink } from "../io/io.ts";

// The characters that makeVisible() escapes, except line ends and tabs.
const HIDDEN =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
/** The colors and styles that jobctl writes, the line end of CSV, or a hidden character. */
const WRITTEN = new RegExp(String.raw`\u001b\[(?:[0-3]|3[1236])m|\r\n|${HIDDEN.source}`, "g");
/** Codes around a line of progress, which replaces the previous one. */
// deno-lint-ignore no-control-regex
const PROGRESS = /^(\r?)([^]*?)((?:\u001b\[K)?)$/;

/**
 * Text without control sequences, except jobctl's own: colors, and the sequence that replaces a
 * line of progress. This is the last of several checks: code that shows foreign text, such as a
 * server's, escapes it where it is inserted.
 */
export function terminalText(text: string, hasColor: boolean): string {
  if (!HIDDEN.test(text)) return text;
  const [, before, content, after] = PROGRESS.exec(text)!;
  const shown = content!.replaceAll(WRITTEN, (found) => {
    if (found === "\r\n") return found;
    return found.length > 1 && hasColor ? found : makeVisible(found);
  });
  return `${before}${shown}${after}`;
}

/** The same streams, with {@link terminalText} applied to everything for a terminal. */
export function guardTerminal(io: CliIo, hasColor: boolean): CliIo {
  if (!io.isTerminal && io.isErrorTerminal !== true) return io;
  const guarded = (sink: TextSink) => ({
    value: { write: (text: string) => sink.write(terminalText(text, hasColor)) },
    enumerable: true,
  });
  // Copies getters without reading them: stdin loads slowly.
  return Object.defineProperties({}, {
    ...Object.getOwnPropertyDescriptors(io),
    ...(io.isTerminal ? { stdout: guarded(io.stdout) } : {}),
    stderr: guarded(io.stderr),
  }) as CliIo;
}
