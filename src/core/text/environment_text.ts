import { JobError } from "../errors.ts";

/**
 * Read variables as systemd reads an `EnvironmentFile=`: a `NAME=value` per line, comments after
 * `#` or `;`, quoted values, and a backslash at the end of a line that continues. The last
 * assignment wins.
 *
 * @throws JobError `invalid_argument` with the line's number, never its text, which may be a secret
 */
export function readAssignments(text: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  const lines = text.split(/\r?\n/);
  for (let index = 0; index < lines.length; index++) {
    const first = index + 1;
    let line = lines[index]!.trim();
    if (line === "" || /^[#;]/.test(line)) continue;
    while (/(?:^|[^\\])(?:\\\\)*\\$/.test(line) && index + 1 < lines.length) {
      index += 1;
      line = line.slice(0, -1) + lines[index]!.trim();
    }
    const match = /^(?:export\s+)?([A-Za-z_]\w*)\s*=\s*([^]*)$/.exec(line);
    if (match === null || match[2]!.includes("\0")) {
      throw new JobError("invalid_argument", `line ${first} is not NAME=value`, {
        hint: "Write one variable a line; # begins a comment",
      });
    }
    found[match[1]!] = unquoted(match[2]!);
  }
  return found;
}

// Quotes may begin and end anywhere, like in a shell. Variables are not expanded.
function unquoted(text: string): string {
  let value = "";
  let quote = "";
  for (let index = 0; index < text.length; index++) {
    const char = text[index]!;
    const next = text[index + 1];
    if (char === "\\" && quote !== "'" && next !== undefined) {
      // Within double quotes a backslash escapes only characters that are special there.
      value += quote === "" || /["\\`$]/.test(next) ? next : char + next;
      index += 1;
    } else if (quote !== "") {
      if (char === quote) quote = "";
      else value += char;
    } else if (char === '"' || char === "'") quote = char;
    else value += char;
  }
  return value;
}
