import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * True for the module that Node was started with, in a path with any characters.
 *
 * @param url `import.meta.url`, which has no symbolic links
 */
export function isMain(url) {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(url);
}
