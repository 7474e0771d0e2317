/** Bytes that `text` takes as UTF-8; a lone surrogate counts as U+FFFD. */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else {
      bytes += 2;
      // The two units of a pair make four bytes together.
      if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(index + 1))) index++;
    }
  }
  return bytes;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** Cut `text` to at most `bytesMax` bytes of UTF-8, with an ellipsis when something was cut. */
export function cutText(text: string, bytesMax: number): string {
  // A unit takes at least one byte, so only this much of a long text matters.
  const head = text.slice(0, bytesMax).toWellFormed();
  if (head.length === text.length && utf8Bytes(head) <= bytesMax) return head;
  const { read } = new TextEncoder().encodeInto(head, new Uint8Array(Math.max(0, bytesMax - 3)));
  return `${head.slice(0, read)}…`;
}

/** Bytes as standard base64 with padding. */
export function base64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8_192) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  }
  return btoa(binary);
}
