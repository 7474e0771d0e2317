import { resolve } from "node:path";
import { JobError } from "../core/errors.ts";
import { maskUrl, parseStoreUrl } from "../core/settings/store_address.ts";
import { TARGET_NAME } from "../core/settings/store_config.ts";

/**
 * The store to move to: a name as given, or a URL, with an absolute path if it is a file.
 *
 * @throws JobError `invalid_argument`
 */
export function targetUrl(
  url: string | undefined,
  cwd: string,
): { readonly full: string; readonly shown: string } {
  if (url === undefined) {
    throw new JobError("invalid_argument", "Cannot move the store: --to is missing", {
      hint: "Add --to NAME, one of store.targets; without a daemon also --to URL",
    });
  }
  if (TARGET_NAME.test(url)) return { full: url, shown: url };
  const address = parseStoreUrl(url);
  if (address.type === "memory") {
    throw new JobError("invalid_argument", "Cannot move the store to memory: it would be lost", {
      hint: "Name a store that outlives the daemon",
    });
  }
  const full = address.type === "sqlite" ? `sqlite:${resolve(cwd, address.path)}` : url;
  return { full, shown: maskUrl(full) };
}
