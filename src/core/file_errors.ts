import { type ErrorCode, errorCode } from "./errors.ts";

/** What the system's codes say of the path that was given. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "invalid_argument",
  ENOTDIR: "invalid_argument",
  EISDIR: "invalid_argument",
  ENAMETOOLONG: "invalid_argument",
  ELOOP: "invalid_argument",
  EACCES: "permission_denied",
  EPERM: "permission_denied",
  EROFS: "permission_denied",
  ENOSPC: "resource_exhausted",
  EDQUOT: "resource_exhausted",
};

/** The code of a JobError for a file that cannot be written or read; `unavailable` is only for daemons and stores. */
export function fileErrorCode(error: unknown): ErrorCode {
  return CODES[errorCode(error) ?? ""] ?? "internal";
}

/** The hint for a path that cannot be written: on a full disk, another mode would not help. */
export function writeHint(error: unknown, otherwise: string): string {
  return fileErrorCode(error) === "resource_exhausted"
    ? "Free space on the disk, or choose another one"
    : otherwise;
}
