// The script that people download to install a release.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../install/install.sh", import.meta.url));

/** The lines of the script that a release replaces. */
const BUILT = /^built_(\w+)='[^']*'$/gm;

/**
 * `install.sh` for a version of the program.
 *
 * @param manifest package.json
 * @param options `publicKey` is the line of minisign's `.pub` file, empty without a signature
 */
export function installScript(
  { version, homepage }: { readonly version: string; readonly homepage: string },
  { publicKey }: { readonly publicKey: string },
): string {
  const values = new Map([
    ["version", version],
    ["key", publicKey],
    ["address", `${homepage}/releases/download`],
  ]);
  const made = readFileSync(SCRIPT, "utf8").replace(BUILT, (_, name: string) => {
    const value = values.get(name);
    if (value === undefined || /['\n]/.test(value)) throw new Error(`Cannot write built_${name}`);
    values.delete(name);
    return `built_${name}='${value}'`;
  });
  if (values.size > 0) throw new Error(`install.sh has no built_${[...values.keys()][0]}`);
  return made.replaceAll("https://github.com/ts-job/ts-job", homepage);
}
