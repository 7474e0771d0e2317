/** A file of an archive: its path, with `/` between folders, its bytes, and the permission bits. */
export interface Entry {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
}
export function tar(entries: readonly Entry[], options: { readonly atMs: number }): Uint8Array;
