// What the tables of the configuration say of each key, for docs/configuration.md and the manual.
import { variableOf } from "../../../src/config/environment.ts";
import type { Key, Keys } from "../../../src/config/values/schema.ts";

/** A key of the configuration, in Markdown. */
export interface DescribedKey {
  readonly path: string;
  /** What its value must be. */
  readonly wanted: string;
  readonly initial: string;
  readonly doc: string;
  /** The variable that sets it; null if only a file can. */
  readonly variable: string | null;
}

/** The keys of a table. @param options.isJob true for tables without variables */
export function describedKeys(keys: Keys, { isJob }: { readonly isJob: boolean }): DescribedKey[] {
  return Object.entries(keys).map(([path, key]) => ({
    ...{ path, wanted: key.reader.wanted, initial: defaultText(path, key, isJob), doc: key.doc },
    variable: isJob ? null : variableOf(path),
  }));
}

function defaultText(path: string, key: Key<unknown>, isJob: boolean): string {
  if (key.initial !== undefined) return `\`${valueText(key.initial)}\``;
  const isInherited = isJob &&
    /^(priority|timeout$|deadline|on_crash|on_drain|kill|overlap|misfire|jitter|crash|retry|keep|output|notify|expect|silence)/
      .test(path);
  return isInherited ? `\`defaults.${path}\`` : "none";
}

function valueText(value: unknown): string {
  if (!Array.isArray(value)) return JSON.stringify(value);
  return `[${value.map((each) => JSON.stringify(each)).join(", ")}]`;
}
