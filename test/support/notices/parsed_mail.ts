/** A mail with a text and perhaps an HTML part. */
export interface ParsedMail {
  /** Decoded, by names in small letters; several of one name with commas. */
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
  readonly html: string;
}

/** Read a mail. */
export function parseMail(message: string): ParsedMail {
  const { headers, body } = split(message);
  const boundary = /boundary="([^"]+)"/.exec(headers.get("content-type") ?? "")?.[1];
  if (boundary === undefined) return { headers, text: decode(headers, body), html: "" };
  const parts = body.split(`--${boundary}`).slice(1, -1).map((part) => split(part.trimStart()));
  const contentOf = (type: string) => {
    const part = parts.find((one) => one.headers.get("content-type")?.startsWith(type));
    return part === undefined ? "" : decode(part.headers, part.body);
  };
  return { headers, text: contentOf("text/plain"), html: contentOf("text/html") };
}

function split(message: string) {
  const text = message.replaceAll("\r\n", "\n");
  const end = text.indexOf("\n\n");
  const headers = new Map<string, string>();
  for (const line of text.slice(0, end).replaceAll(/\n[ \t]+/g, " ").split("\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = decodeWords(line.slice(colon + 1).trim());
    headers.set(name, headers.has(name) ? `${headers.get(name)}, ${value}` : value);
  }
  return { headers, body: text.slice(end + 2) };
}

function decode(headers: ReadonlyMap<string, string>, body: string): string {
  switch (headers.get("content-transfer-encoding")) {
    case "base64":
      return Buffer.from(body, "base64").toString("utf8").replaceAll("\r\n", "\n");
    case "quoted-printable":
      return quotedPrintable(body.replaceAll(/=\n/g, ""));
    default:
      return body;
  }
}

function quotedPrintable(text: string): string {
  const bytes = text.replaceAll(
    /=([0-9A-F]{2})/g,
    (_, code) => String.fromCharCode(parseInt(code, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** Encoded words of RFC 2047. */
function decodeWords(value: string): string {
  return value.replaceAll(/\?=\s+=\?/g, "?==?").replaceAll(
    /=\?UTF-8\?([QB])\?([^?]*)\?=/gi,
    (_, encoding, text: string) =>
      encoding.toUpperCase() === "B"
        ? Buffer.from(text, "base64").toString("utf8")
        : quotedPrintable(text.replaceAll("_", " ")),
  );
}
