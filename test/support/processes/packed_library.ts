import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "./runtimes.ts";

const execute = promisify(execFile);
let packing: Promise<unknown> | null = null;

/**
 * The folder with the package ts-job as it is published. It is made once in a process, in which the
 * files that need it run together; none of them may change it.
 */
export async function packedLibrary(): Promise<string> {
  const folder = join(ROOT, "dist", "lib");
  packing ??= execute("node", [join(ROOT, "scripts", "pack.mjs"), folder], { cwd: ROOT });
  await packing;
  return folder;
}
