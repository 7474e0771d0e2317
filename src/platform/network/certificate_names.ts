/** The names in a certificate, as its issuer wrote them. */
export interface CertificateNames {
  /** The subject's common name; null if missing, repeated, or not plain text. */
  readonly commonName: string | null;
  /** Alternative names: `DNS:host`, `EMAIL:address`, `URI:…`, `IP:address`. */
  readonly alternativeNames: readonly string[];
}

interface Element {
  readonly tag: number;
  readonly body: Uint8Array;
}

const SEQUENCE = 0x30;
const EXTENSIONS = 0xa3;
const OCTET_STRING = 0x04;
const EXPLICIT_VERSION = 0xa0;
/** UTF8String, PrintableString and IA5String. */
const TEXTS: ReadonlySet<number> = new Set([0x0c, 0x13, 0x16]);
/** 2.5.4.3 and 2.5.29.17. */
const COMMON_NAME = "550403";
const ALTERNATIVE_NAMES = "551d11";
const TEXT_NAMES: Readonly<Record<number, string>> = { 0x81: "EMAIL", 0x82: "DNS", 0x86: "URI" };
const ADDRESS = 0x87;

/**
 * Read the names of an X.509 certificate from its DER bytes. The text form that runtimes provide is
 * ambiguous for names that contain ", DNS:".
 *
 * @returns no names if the bytes are not a certificate
 */
export function readCertificateNames(der: Uint8Array): CertificateNames {
  try {
    const certificate = one(der, SEQUENCE);
    const fields = elements(elements(certificate)[0]!.body);
    // The version field is absent in v1 certificates; the subject is the fifth remaining field.
    const rest = fields[0]!.tag === EXPLICIT_VERSION ? fields.slice(1) : fields;
    const extensions = rest.find(({ tag }) => tag === EXTENSIONS);
    return {
      commonName: readCommonName(rest[4]!.body),
      alternativeNames: extensions ? readAlternativeNames(one(extensions.body, SEQUENCE)) : [],
    };
  } catch {
    return { commonName: null, alternativeNames: [] };
  }
}

function readCommonName(subject: Uint8Array): string | null {
  const found: (string | null)[] = [];
  for (const set of elements(subject)) {
    for (const { body } of elements(set.body)) {
      const [type, value] = elements(body);
      if (hex(type!.body) === COMMON_NAME) found.push(textOf(value!));
    }
  }
  return found.length === 1 ? found[0]! : null;
}

function readAlternativeNames(extensions: Uint8Array): string[] {
  const names: string[] = [];
  for (const { body } of elements(extensions)) {
    const parts = elements(body);
    if (hex(parts[0]!.body) !== ALTERNATIVE_NAMES) continue;
    const value = parts.find(({ tag }) => tag === OCTET_STRING);
    for (const { tag, body: name } of elements(one(value!.body, SEQUENCE))) {
      const type = TEXT_NAMES[tag];
      const address = tag === ADDRESS ? addressOf(name) : null;
      if (type !== undefined) names.push(`${type}:${decode(name)}`);
      else if (address !== null) names.push(`IP:${address}`);
    }
  }
  return names;
}

function addressOf(bytes: Uint8Array): string | null {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return null;
  const words = Array.from({ length: 8 }, (_, at) => hex(bytes.subarray(at * 2, at * 2 + 2)));
  // The shortest form, as people write it.
  return new URL(`http://[${words.join(":")}]`).hostname.slice(1, -1);
}

function textOf({ tag, body }: Element): string | null {
  return TEXTS.has(tag) ? decode(body) : null;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** The body of the only element. @throws Error otherwise */
function one(bytes: Uint8Array, tag: number): Uint8Array {
  const [element, ...others] = elements(bytes);
  if (element?.tag !== tag || others.length > 0) throw new Error("no such element");
  return element.body;
}

/** The elements in some bytes. @throws Error for bytes that are not DER */
function elements(bytes: Uint8Array): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at]!;
    let length = bytes[at + 1]!;
    let from = at + 2;
    if (length >= 0x80) {
      const width = length & 0x7f;
      if (width === 0 || width > 3) throw new Error("no DER length");
      length = bytes.subarray(from, from + width).reduce((sum, byte) => sum * 256 + byte, 0);
      from += width;
    }
    if (!(from + length <= bytes.length)) throw new Error("cut off");
    found.push({ tag, body: bytes.subarray(from, from + length) });
    at = from + length;
  }
  return found;
}
