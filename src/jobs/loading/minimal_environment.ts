import type { Account } from "../../platform/system/accounts.ts";
import { isWindows } from "../../platform/system/runtime.ts";

const KEPT =
  /^(?:PATH|TZ|TMPDIR|LANG|LANGUAGE|LC_\w+|SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|DENO_DIR)$/;

/** Variables that programs on Windows need, and the equivalents of HOME and TMPDIR there. */
const KEPT_ON_WINDOWS =
  /^(?:PATH|PATHEXT|TZ|TEMP|TMP|HOME|HOMEDRIVE|HOMEPATH|USERPROFILE|USERNAME|USERDOMAIN|APPDATA|LOCALAPPDATA|PROGRAMDATA|PROGRAM\w+(?:\(x86\))?|COMMONPROGRAM\w+(?:\(x86\))?|ALLUSERSPROFILE|PUBLIC|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|COMPUTERNAME|OS|NUMBER_OF_PROCESSORS|PROCESSOR_\w+|LANG|SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|DENO_DIR)$/i;

/** The environment of modules in addition to `env`: cron's variables and the system's needs. */
export function minimalEnvironment(account: Account): Record<string, string> {
  const wanted = isWindows() ? KEPT_ON_WINDOWS : KEPT;
  const kept = Object.entries(process.env).filter((entry): entry is [string, string] =>
    entry[1] !== undefined && wanted.test(entry[0])
  );
  if (isWindows()) return Object.fromEntries(kept);
  return {
    PATH: "/usr/bin:/bin",
    ...Object.fromEntries(kept),
    HOME: account.home,
    LOGNAME: account.name,
    USER: account.name,
    SHELL: "/bin/sh",
  };
}
