import { countText } from "./count_text.ts";

const DROPPED = "of output dropped here";

/** The line of a log that replaces dropped lines. */
export function droppedOutput(
  dropped: { readonly lines: number; readonly bytes: number },
  kept: { readonly linesMax: number; readonly bytesMax: number },
): string {
  const count = `${countText(dropped.lines, "line")} (${countText(dropped.bytes, "byte")})`;
  return `${count} ${DROPPED}: an attempt keeps ${kept.linesMax} lines and ${kept.bytesMax} bytes`;
}

/** True if a line of the system replaces dropped lines. */
export function isDroppedOutput(message: string): boolean {
  return message.includes(DROPPED);
}
