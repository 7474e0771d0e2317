import { JobError } from "../../core/errors.ts";

/** The kinds of service managers that a service can be installed for. */
export const SERVICE_KINDS = ["systemd", "openrc", "launchd"] as const;

/** A kind of service manager. */
export type ServiceKind = typeof SERVICE_KINDS[number];

/** Source of a service's file. */
export interface ServiceSettings {
  /** The program and the words before its verb, with absolute paths. */
  readonly argv: readonly string[];
  /** The configuration, absolute. */
  readonly config: string;
  /** The daemon's user; null for root, whose jobs may run as any user. */
  readonly user: string | null;
  /** The folder of the database, if it is outside the daemon's own folder; else null. */
  readonly data: string | null;
}

/** The user of the service unless another is named. */
export const USER_DEFAULT = "jobctl";
/** The configuration of the service unless another is named. */
export const CONFIG_DEFAULT = "/etc/jobctl/config.toml";
/** The service's folder for its database and tokens. */
export const STATE_FOLDER = "/var/lib/jobctl";
/** Time limit of a stop, in seconds, unless it asks for more; the rest is then killed. */
export const STOP_SECONDS = 90;

/** Settings of the packages; `contrib/` is made from it. */
export const PACKAGED: ServiceSettings = {
  argv: ["/usr/bin/jobctl"],
  config: CONFIG_DEFAULT,
  user: USER_DEFAULT,
  data: null,
};

/** Search path for programs of service managers, also as root: never a caller's PATH. */
export const PROGRAM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
/** Largest file of a service that is read: ours have 2 kB. */
export const SERVICE_FILE_BYTES_MAX = 1_048_576;

const PATH_BYTES_MAX = 1_024;

/** @throws JobError `invalid_argument` for a path that no file of a service can have */
export function checkServicePath(path: string, allowed: RegExp, kind: ServiceKind): string {
  const isTooLong = new TextEncoder().encode(path).length > PATH_BYTES_MAX;
  if (path.startsWith("/") && allowed.test(path) && !isTooLong) return path;
  const found = isTooLong
    ? `it has more than ${PATH_BYTES_MAX} bytes`
    : path.startsWith("/")
    ? `it has characters that a file of ${kind} cannot carry`
    : "it is not absolute";
  throw new JobError(
    "invalid_argument",
    `Cannot write the path ${JSON.stringify(path)} for ${kind}: ${found}`,
    { hint: "Move the file to a path of letters, digits, dots, dashes and slashes" },
  );
}
