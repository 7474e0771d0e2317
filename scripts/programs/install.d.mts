/** Install missing servers; returns a message with the problem and its remedy, or null. */
export function installServers(): string | null;
/**
 * Absolute path of a program of list.mjs.
 *
 * @throws Error if it is not in the list, or is not on this machine, with the remedy
 */
export function programPath(program: string): string;
/** Why a test without these programs of list.mjs is skipped; false if it is not. */
export function skipWithout(...programs: readonly string[]): string | false;
/** Why a test without this unpacked package of list.mjs is skipped; false if it is not. */
export function skipWithoutUnpacked(name: string): string | false;
/**
 * Folder of an unpacked package of list.mjs.
 *
 * @throws Error if it is not in the list, or is not unpacked
 */
export function unpackedFolder(name: string): string;
