import { bareHost } from "../../core/address.ts";
import { isIpAddress, isPublicAddress } from "../../core/public_address.ts";
import type { Field, Report } from "../values/source.ts";
import type { NoticeServer } from "./channel_type.ts";

/** Report a URL that is not https, or leads into a private network, unless that is allowed. */
export function checkPublicUrl(
  url: URL,
  { field, allowPrivate, report }: {
    readonly field: Field;
    readonly allowPrivate: boolean;
    readonly report: Report;
  },
): void {
  if (allowPrivate) return;
  const host = bareHost(url.hostname);
  const isLocal = host === "localhost" || host.endsWith(".localhost") ||
    (isIpAddress(host) && !isPublicAddress(host));
  if (isLocal) {
    report.value(
      field,
      `found a private address, ${host}`,
      "To allow it, set allow_private = true",
    );
  } else if (url.protocol !== "https:") {
    report.value(
      field,
      "found http://, wanted https://",
      "In a private network, set allow_private = true",
    );
  }
}

/** The URL that a value is; null if it is none, or would be read as another one. */
export function readUrl(value: unknown): URL | null {
  // A URL loses them silently.
  if (typeof value !== "string" || /[\s\0]/.test(value)) return null;
  const url = URL.canParse(value) ? new URL(value) : null;
  return url !== null && /^[\w.:[\]-]*$/.test(url.hostname) ? url : null;
}

/** A decoded part of a URL; null if it is empty. */
export function decodedPart(part: string): string | null {
  if (part === "") return null;
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The server of a URL of HTTP, which the key `url` has. */
export function serverOfUrl(
  text: string,
  { allowPrivate, caFile }: { readonly allowPrivate: boolean; readonly caFile: string | null },
): NoticeServer {
  const url = new URL(text);
  const isTls = url.protocol === "https:";
  const port = url.port === "" ? (isTls ? 443 : 80) : Number(url.port);
  return { key: "url", host: bareHost(url.hostname), port, isTls, caFile, isPublic: !allowPrivate };
}
