import { describedKeys } from "../../../scripts/release/manual/config_keys.ts";
import type { Keys } from "../../../src/config/values/schema.ts";

/** The rows of the tables in docs/configuration.md, as the table of keys has them. */
export function configRows(keys: Keys, options: { readonly isJob: boolean }): string[] {
  return describedKeys(keys, options).map(({ path, wanted, initial, doc, variable }) => {
    const text = variable === null ? doc : `${doc} \`${variable}\``;
    return `| ${[`\`${path}\``, wanted, initial, text].join(" | ")} |`;
  });
}
