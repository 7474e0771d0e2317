import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorCode } from "../../core/errors.ts";
import { PRIVATE_FILE } from "../files/private_files.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Environment variables that each indicate a desktop. */
const DESKTOP = ["DISPLAY", "WAYLAND_DISPLAY"];
/** Folders of programs from snapd. Browsers from there cannot read hidden files of the home. */
const SNAP_FOLDERS = ["/snap/bin", "/var/lib/snapd/snap/bin"];

/** A page that only its user can read. */
export interface PrivatePage {
  readonly path: string;
  /** Delete it. */
  remove(): void;
}

/**
 * Write a page for a browser of this user: a file of mode 0600, in a new folder.
 *
 * @throws Error if there is no place for it
 */
export function writePrivatePage(html: string, env: Environment): PrivatePage {
  const folder = makeFolder(pageFolders(process.platform, env, existsSync));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const path = join(folder, "open.html");
  try {
    writeFileSync(path, html, { mode: PRIVATE_FILE, flag: "wx" });
  } catch (error) {
    remove();
    throw error;
  }
  return { path, remove };
}

/** Folders for a page that the browser can read, best first. */
export function pageFolders(
  platform: string,
  env: Environment,
  exists: (path: string) => boolean,
): readonly string[] {
  const { HOME: home, XDG_RUNTIME_DIR: runtime } = env;
  const hasSnaps = platform === "linux" && SNAP_FOLDERS.some((path) => exists(path));
  return [...(hasSnaps && home ? [home] : []), ...(runtime ? [runtime] : []), tmpdir()];
}

function makeFolder(places: readonly string[]): string {
  for (const place of places.slice(0, -1)) {
    try {
      return mkdtempSync(join(place, "jobctl-open-"));
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
    }
  }
  return mkdtempSync(join(places.at(-1)!, "jobctl-open-"));
}

/**
 * Open a file with the desktop's browser. Its path is in a command line, which everybody can read.
 *
 * @param program as {@link programOf} names it
 * @throws Error if the program cannot be started
 */
export function openInBrowser(path: string, program: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const [file, ...words] = program;
    const child = spawn(file!, [...words, path], { stdio: "ignore", detached: true });
    child.once("error", reject);
    child.once("spawn", () => {
      child.unref();
      resolve();
    });
  });
}

/** The program that opens a file in a browser, and its first arguments; null without a desktop. */
export function programOf(platform: string, env: Environment): readonly string[] | null {
  switch (platform) {
    case "darwin":
      // Over SSH the desktop is someone else's, or far away.
      return env["SSH_CONNECTION"] ? null : ["open"];
    case "win32":
      // Not through a shell, for which a path has special characters.
      return ["rundll32", "url.dll,FileProtocolHandler"];
    default:
      return DESKTOP.some((name) => env[name]) ? ["xdg-open"] : null;
  }
}
