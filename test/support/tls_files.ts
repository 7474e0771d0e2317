import { fileURLToPath } from "node:url";

/** Path of a file of test/support/tls: certificates for localhost and 127.0.0.1 that are their own CA, made for tests. */
export function tlsFile(
  name: "server.crt" | "server.key" | "other.crt" | "other.key" | "expired.crt",
) {
  return fileURLToPath(new URL(`./tls/${name}`, import.meta.url));
}
