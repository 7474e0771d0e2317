import { fileURLToPath } from "node:url";

/**
 * Path of a file of test/support/tls, made for tests: certificates for localhost and 127.0.0.1 that
 * are their own CA, and one of a client, "ci", that `clients_ca.crt` has signed and whose
 * alternative names try to look like others; `chain_client.crt` is one of an authority (serial
 * number 5EAD0001) that `chain_ca.crt` has signed.
 */
export function tlsFile(
  name:
    | "server.crt"
    | "server.key"
    | "other.crt"
    | "other.key"
    | "expired.crt"
    | "clients_ca.crt"
    | "client.crt"
    | "client.key"
    | "chain_ca.crt"
    | "chain_client.crt"
    | "chain_client.key",
) {
  return fileURLToPath(new URL(`./tls/${name}`, import.meta.url));
}
