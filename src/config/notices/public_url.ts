import { bareHost } from "../../core/address.ts";
import { isIpAddress, isPublicAddress } from "../../core/public_address.ts";
import type { Field, Report } from "../values/source.ts";

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
