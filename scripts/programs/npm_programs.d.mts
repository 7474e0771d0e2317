/** Path of the program of one of the Node versions of list.mjs. */
export function nodeProgram(major: number): string;
/** Path of nushell's program; null on a machine for which npm has none. */
export function nushellProgram(): string | null;
