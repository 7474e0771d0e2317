import { unicodeEscape } from "./safe_text.ts";
import { base64 } from "./text_bytes.ts";
import { MATCH_LENGTH_MIN } from "./text_matcher.ts";

/** Shortest secret that is masked, in characters: shorter ones would mask ordinary words. */
export const SECRET_LENGTH_MIN = MATCH_LENGTH_MIN;

// A long secret is searched in pieces, so that search patterns have a bounded length.
const PIECE = /[^]{1,256}/gu;
/** Columns at which coreutils and OpenSSL wrap base64. */
const BASE64_COLUMNS = [76, 64];

/**
 * The forms of a secret in output: plain, and as in JSON, URLs, HTML, base64, hexadecimal digits
 * and shells.
 *
 * Each line of a multi-line secret counts on its own, as does the password of a URL. Parts shorter
 * than {@link SECRET_LENGTH_MIN} are skipped.
 */
export function secretForms(secret: string): Set<string> {
  const forms = new Set<string>();
  const add = (text: string) => {
    if (text.length >= SECRET_LENGTH_MIN) forms.add(text);
  };
  for (const part of partsOf(secret.toWellFormed())) {
    if (part.length < SECRET_LENGTH_MIN) continue;
    for (const piece of piecesOf(part)) {
      add(piece);
      jsonForms(piece).forEach(add);
      urlForms(piece).forEach(add);
      shellForms(piece).forEach(add);
      markupForms(piece).forEach(add);
      binaryForms(new TextEncoder().encode(piece)).forEach(add);
    }
  }
  for (const text of [secret, `${secret}\n`]) wrappedBase64(text).forEach(add);
  return forms;
}

/** The parts of a secret that are secrets themselves. */
function partsOf(secret: string): Set<string> {
  const parts = new Set([secret]);
  for (const line of secret.split(/\r?\n/)) {
    // These lines are the same in every PEM file.
    if (!/^-----[A-Z0-9 ]+-----$/.test(line)) parts.add(line).add(line.trim());
  }
  const password = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s:]*:(.+)@/i.exec(secret)?.[1];
  if (password !== undefined) {
    parts.add(password);
    try {
      parts.add(decodeURIComponent(password));
    } catch {
      // Not percent-encoded.
    }
  }
  return parts;
}

function piecesOf(part: string): string[] {
  const pieces: string[] = part.match(PIECE) ?? [];
  // A last piece that is too short to search for is extended backwards.
  if (pieces.at(-1)!.length < SECRET_LENGTH_MIN) pieces.push(part.slice(-2 * SECRET_LENGTH_MIN));
  return pieces.map((piece) => piece.toWellFormed());
}

function jsonForms(text: string): string[] {
  const plain = JSON.stringify(text).slice(1, -1);
  const ascii = plain.replaceAll(/[\u007f-\uffff]/g, unicodeEscape);
  return [
    plain,
    // JSON in JSON, as in a nested structured log line.
    JSON.stringify(plain).slice(1, -1),
    ascii,
    JSON.stringify(ascii).slice(1, -1),
    // JavaScript runtimes print a string inside an object so, for either kind of quotes.
    plain.replaceAll('\\"', '"'),
    plain.replaceAll('\\"', '"').replaceAll("'", "\\'"),
    // The form of PHP and Go.
    plain.replaceAll("/", "\\/"),
    plain.replaceAll(/[<>&]/g, unicodeEscape),
  ];
}

function urlForms(text: string): string[] {
  const whole = encodeURIComponent(text);
  const strict = whole.replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  // The last but one is Python's, the last Go's for a part of a path.
  const path = strict.replaceAll("%2F", "/");
  const part = strict.replaceAll(/%(?:24|26|2B|3A|3D|40)/g, decodeURIComponent);
  return [whole, strict, encodeURI(text), path, part].flatMap((
    form,
  ) => [form, form.replaceAll("%20", "+")])
    .flatMap((form) => [form, form.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())]);
}

/** The forms of shells: in single quotes, in double quotes, and without. */
function shellForms(text: string): string[] {
  return [
    text.replaceAll("'", `'\\''`),
    text.replaceAll("'", `'"'"'`),
    text.replaceAll(/["$`\\]/g, "\\$&"),
    text.replaceAll(/[^\w@%+=:,./\u0080-\uffff-]/g, "\\$&"),
    text.replaceAll(/[^\w%+./:=@~#\u0080-\uffff-]/g, "\\$&"),
  ];
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/** In HTML and XML: quotes by several names, or plain; in ASCII, other characters by number. */
function markupForms(text: string): string[] {
  const forms = escapedMarkup(text);
  if (!NOT_ASCII.test(text)) return forms;
  return [...forms, ...[text, ...forms].flatMap(numberedForms)];
}

const NOT_ASCII = /[\u0080-\uffff]/;

function numberedForms(text: string): string[] {
  const numbered = (write: (code: number) => string) =>
    text.replaceAll(
      /[\u0080-\u{10ffff}]/gu,
      (character) => `&#${write(character.codePointAt(0)!)};`,
    );
  const digits = (code: number) => code.toString(16);
  return [
    numbered(String),
    numbered((code) => `x${digits(code)}`),
    numbered((code) => `x${digits(code).toUpperCase()}`),
  ];
}

function escapedMarkup(text: string): string[] {
  if (!/[&<>"']/.test(text)) return [];
  const plain = text.replaceAll(/[&<>]/g, (character) => ENTITIES[character]!);
  const quoted = text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character]!);
  const single = ["&#39;", "&#x27;", "&#039;", "&apos;"].map((name) =>
    quoted.replaceAll("'", name)
  );
  return [plain, quoted, ...single, quoted.replaceAll("&quot;", "&#34;").replaceAll("'", "&#39;")];
}

function binaryForms(bytes: Uint8Array): string[] {
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const forms = [hex, hex.toUpperCase()];
  // The base64 form depends on the secret's offset, its ends on the neighboring bytes.
  for (const before of [0, 1, 2]) {
    const shifted = new Uint8Array(before + bytes.length);
    shifted.set(bytes, before);
    const first = Math.ceil(before * 8 / 6);
    const core = base64(shifted).slice(first, Math.floor(shifted.length * 8 / 6));
    forms.push(core, core.replaceAll("+", "-").replaceAll("/", "_"));
  }
  return forms;
}

/** The wrapped lines of a secret that was encoded on its own. */
function wrappedBase64(text: string): string[] {
  const encoded = base64(new TextEncoder().encode(text));
  return BASE64_COLUMNS.filter((columns) => encoded.length > columns)
    .flatMap((columns) => encoded.match(new RegExp(`.{1,${columns}}`, "g")) ?? []);
}
