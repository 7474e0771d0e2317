import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { StoreConfig } from "../core/settings/store_config.ts";

/**
 * The folder where daemons of one store and node find the supervisors of the daemon before them.
 *
 * Every daemon that could take their claims back must come to the same path. Those of a SQLite file
 * are beside it.
 *
 * @param node.runtimeDir folder for the sockets of this user's daemons
 */
export function commandFolder(
  { address, url, prefix }: Pick<StoreConfig, "address" | "url" | "prefix">,
  node: { readonly id: string; readonly runtimeDir: string },
): string {
  if (address.type === "sqlite") return `${realPath(address.path)}-commands`;
  const name = createHash("sha256").update(JSON.stringify([url, prefix, node.id])).digest("hex");
  return join(node.runtimeDir, `commands-${name.slice(0, 16)}`);
}

/** The file behind links, even if it does not exist yet. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const folder = dirname(resolve(path));
    return folder === dirname(folder) ? resolve(path) : join(realPath(folder), basename(path));
  }
}
