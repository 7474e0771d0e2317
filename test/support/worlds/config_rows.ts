import { variableOf } from "../../../src/config/environment.ts";
import type { Key, Keys } from "../../../src/config/schema.ts";

/** The rows of the tables in docs/configuration.md, as the table of keys has them. */
export function configRows(keys: Keys, options: { readonly isJob: boolean }): string[] {
  return Object.entries(keys).map(([path, key]) => {
    const cells = [
      `\`${path}\``,
      key.reader.wanted,
      defaultText(path, key, options.isJob),
      key.doc + (options.isJob ? "" : variableText(path)),
    ];
    return `| ${cells.join(" | ")} |`;
  });
}

function defaultText(path: string, key: Key<unknown>, isJob: boolean): string {
  if (key.initial !== undefined) return `\`${JSON.stringify(key.initial)}\``;
  const isInherited = isJob &&
    /^(priority|timeout$|deadline|on_crash|on_drain|kill|overlap|misfire|jitter|crash|retry|keep|output|notify|expect|silence)/
      .test(path);
  return isInherited ? `\`defaults.${path}\`` : "none";
}

function variableText(path: string): string {
  const variable = variableOf(path);
  return variable === null ? "" : ` \`${variable}\``;
}
