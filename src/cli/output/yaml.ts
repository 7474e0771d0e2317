import type { Plain, PlainRecord } from "./view.ts";
import { makeJsonVisible } from "../../core/text/safe_text.ts";

// Words that YAML 1.1 or 1.2 does not read as text.
const RESERVED = /^(?:true|false|yes|no|on|off|y|n|null|nan|inf)$/i;
const BARE = /^[A-Za-z_][A-Za-z0-9_./-]*$/;

function formatText(text: string): string {
  if (BARE.test(text) && !RESERVED.test(text)) return text;
  // Every JSON text is a double-quoted YAML text.
  return makeJsonVisible(JSON.stringify(text));
}

function isRecord(value: Plain): value is PlainRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function formatScalar(value: Plain): string {
  if (typeof value === "string") return formatText(value);
  if (Array.isArray(value)) return "[]";
  return isRecord(value) ? "{}" : String(value);
}

function isBlock(value: Plain): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return isRecord(value) && entriesOf(value).length > 0;
}

function entriesOf(record: PlainRecord): [string, Plain][] {
  return Object.entries(record).filter((entry): entry is [string, Plain] => entry[1] !== undefined);
}

function formatLines(value: Plain): string[] {
  if (!isBlock(value)) return [formatScalar(value)];
  if (isRecord(value)) {
    return entriesOf(value).flatMap(([key, member]) =>
      isBlock(member)
        ? [`${formatText(key)}:`, ...formatLines(member).map((line) => `  ${line}`)]
        : [`${formatText(key)}: ${formatScalar(member)}`]
    );
  }
  return (value as readonly Plain[]).flatMap((element) => {
    const [first, ...rest] = formatLines(element);
    return [`- ${first}`, ...rest.map((line) => `  ${line}`)];
  });
}

/** A YAML document of plain data, without its `---`. */
export function formatYaml(value: Plain): string {
  return `${formatLines(value).join("\n")}\n`;
}
