import { spawn } from "node:child_process";

/** Environment variables of which each means that there is a desktop. */
const DESKTOP = ["DISPLAY", "WAYLAND_DISPLAY"];

/**
 * Open a URL with the desktop's browser. Does nothing where there is no desktop.
 *
 * @throws Error if the program that does it cannot be started
 */
export function openInBrowser(
  url: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const program = programOf(process.platform, env);
  if (program === null) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const [file, ...words] = program;
    const child = spawn(file!, [...words, url], { stdio: "ignore", detached: true });
    child.once("error", reject);
    child.once("spawn", () => {
      child.unref();
      resolve();
    });
  });
}

/** The program and its first arguments; null without a desktop. */
export function programOf(
  platform: string,
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] | null {
  switch (platform) {
    case "darwin":
      // Over SSH the desktop is someone else's, or far away.
      return env["SSH_CONNECTION"] ? null : ["open"];
    case "win32":
      // Not through a shell, for which a URL has special characters.
      return ["rundll32", "url.dll,FileProtocolHandler"];
    default:
      return DESKTOP.some((name) => env[name]) ? ["xdg-open"] : null;
  }
}
