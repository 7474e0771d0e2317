import manifest from "../../package.json" with { type: "json" };

/** The product's version, as package.json states it. */
export const VERSION: string = manifest.version;

/** Facts that the build wrote into the compiled file. */
export interface BuildFacts {
  /** Name of the system that it runs on, such as `linux-x64-musl`. */
  readonly target: string;
  /** Commit of the source; null if it was not built from a repository. */
  readonly commit: string | null;
  /** True if the source differed from the commit. */
  readonly isChanged: boolean;
  /** Time of the commit, in epoch milliseconds. */
  readonly committedAt: number | null;
  /** Public minisign key of the releases, on one line. */
  readonly publicKey: string | null;
}

/** JSON of {@link BuildFacts}: the build replaces this name by a literal. */
declare const JOBCTL_BUILD: string;

/** The facts of the compiled file; null from source or a package. */
export function buildFacts(): BuildFacts | null {
  return typeof JOBCTL_BUILD === "undefined" ? null : JSON.parse(JOBCTL_BUILD) as BuildFacts;
}
