/** Programs and files by Debian package, by group; alternatives are separated by "|". */
export const GROUPS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
/** Debian packages that tests unpack without installing them. */
export const UNPACKED: readonly string[];
