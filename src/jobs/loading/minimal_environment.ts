import type { Account } from "../../platform/process/accounts.ts";

const KEPT =
  /^(?:PATH|TZ|TMPDIR|LANG|LANGUAGE|LC_\w+|SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|DENO_DIR)$/;

/**
 * The environment of modules in addition to `env`: cron's variables, and those that programs on
 * this system need.
 */
export function minimalEnvironment(account: Account): Record<string, string> {
  const kept = Object.entries(process.env).filter((entry): entry is [string, string] =>
    entry[1] !== undefined && KEPT.test(entry[0])
  );
  return {
    PATH: "/usr/bin:/bin",
    ...Object.fromEntries(kept),
    HOME: account.home,
    LOGNAME: account.name,
    USER: account.name,
    SHELL: "/bin/sh",
  };
}
