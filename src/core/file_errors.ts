import { type ErrorCode, errorCode } from "./errors.ts";

/** Error codes of the system that concern the given path. */
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

/** The JobError code for a file that cannot be read or written. Never `unavailable`. */
export function fileErrorCode(error: unknown): ErrorCode {
  return CODES[errorCode(error) ?? ""] ?? "internal";
}

/** The hint for an unwritable path: on a full disk, another mode would not help. */
export function writeHint(error: unknown, otherwise: string): string {
  if (errorCode(error) === "EROFS") {
    return "Choose a folder that this process may write to; a unit of systemd opens others with ReadWritePaths=";
  }
  return fileErrorCode(error) === "resource_exhausted"
    ? "Free space on the disk, or choose another one"
    : otherwise;
}
