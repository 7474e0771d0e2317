/** Reduce gRPC's message about a failed connection to the part from the system or TLS. */
export function connectDetail(details: string): string {
  const detail =
    /Last error: (?:Error(?: \[\w+\])?: )?(.+?)\.? Resolution note:/.exec(details)?.[1] ?? details;
  // The library appends the time.
  return detail.replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)$/, "");
}

/** Remedies by text in the message of the system, the library or TLS; the first match applies. */
const TLS_HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /certificate.required/i,
    "It requires a certificate: add --tls-cert FILE and --tls-key FILE",
  ],
  [
    /self.signed|unable to (get|verify)|unknown ca/i,
    "If that daemon is meant, name the authority of its certificate: --tls-ca FILE",
  ],
  [
    /altnames/i,
    "Its certificate is for other names: give one of them with --host",
  ],
  [
    /WRONG_VERSION_NUMBER|Protocol error|h2 is not supported/i,
    "No jobctl with TLS listens there: check --port, and omit --tls if the daemon does not use TLS",
  ],
  [
    /ECONNRESET|hang up|alert|disconnected/i,
    "It ended the connection: a certificate may be missing, revoked or of another authority, or it does not use TLS. " +
    "Its log shows the reason",
  ],
];

const PLAIN_HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /Protocol error/i,
    "No jobctl without TLS listens there. Find the process with: ss -ltnp",
  ],
  [
    /Failed to connect|ECONNRESET|hang up/i,
    "Something listens there and ends the connection: if that daemon uses TLS, add --tls or --tls-ca FILE; " +
    "find the process with: ss -ltnp",
  ],
];

/** The remedy for a failed connection, from the result of {@link connectDetail}. */
export function connectHint(
  detail: string,
  { isTls, address }: { readonly isTls: boolean; readonly address: string },
): string {
  if (/name resolution/i.test(detail)) return `No such host: look at --host (${address})`;
  const found = (isTls ? TLS_HINTS : PLAIN_HINTS).find(([pattern]) => pattern.test(detail));
  return found?.[1] ?? "Is the daemon running? Start it with: jobctl serve --config config.toml";
}
