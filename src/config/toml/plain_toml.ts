import { type JsonMap, parse, stringify } from "@iarna/toml";
import { scanToml } from "./scan_toml.ts";

// Apart from parse_toml.ts, whose second parser, for places, would make every client start later.

/**
 * The values of a small TOML file without the places of its keys.
 *
 * @throws Error with a message of one line, which shows nothing of the file
 */
export function parsePlainToml(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const { excess } = scanToml(text);
  if (excess !== null) throw new Error(excess.message);
  try {
    return parse(text);
  } catch (cause) {
    const { line } = cause as { readonly line?: unknown };
    const place = typeof line === "number" ? ` in line ${line + 1}` : "";
    throw new Error(`it is not TOML${place}`, { cause });
  }
}

/** Values as a TOML file. */
export function writePlainToml(values: Readonly<Record<string, unknown>>): string {
  return stringify(values as JsonMap);
}
