import { spawn } from "node:child_process";
import process from "node:process";
import { isWindows } from "../../platform/system/runtime.ts";

/** A shell's exit code for a missing program. */
const NO_PROGRAM = 127;
/** Like git sets it: leave short texts on the screen, show colors, do not clear the screen. */
const LESS = "FRX";

/**
 * Show a text with the program of `PAGER`, or with `less`.
 *
 * @returns false if it is missing, or is `cat`: the caller then writes the text itself
 */
export async function pageText(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<boolean> {
  const command = (env.PAGER ?? "less").trim();
  if (isWindows() || command === "" || command === "cat") return false;
  const child = spawn("/bin/sh", ["-c", command], {
    stdio: ["pipe", "inherit", "inherit"],
    env: { ...process.env, LESS: env.LESS ?? LESS },
  });
  // Ctrl-C is for the pager, which leaves the terminal as it was.
  const ignore = () => {};
  process.on("SIGINT", ignore);
  try {
    return await new Promise<boolean>((resolve) => {
      // It may end before it has read everything, or not start at all.
      child.stdin.on("error", ignore);
      child.on("error", () => resolve(false));
      child.on("exit", (code) => resolve(code !== NO_PROGRAM));
      child.stdin.end(text);
    });
  } finally {
    process.off("SIGINT", ignore);
  }
}
