import { shellWord } from "../../core/text/shell_word.ts";

/** An argv as a line for a POSIX shell. */
export function shellLine(argv: readonly string[]): string {
  return argv.map(shellWord).join(" ");
}
