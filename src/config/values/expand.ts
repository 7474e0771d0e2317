/** Variables of the environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A text with its variables filled in, or why that is not possible. */
export type Expansion =
  | { readonly text: string; readonly error: null }
  | { readonly text: null; readonly error: string; readonly hint?: string };

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Expand `${VAR}`, `${VAR:-default}` and `${VAR:?message}`. `$${` is a literal `${`.
 *
 * As in a shell, an empty variable counts as unset after `:`. Defaults are not expanded themselves.
 * Errors never show the value of a variable.
 */
export function expandVariables(text: string, env: Environment): Expansion {
  let expanded = "";
  let index = 0;
  while (index < text.length) {
    const start = text.indexOf("${", index);
    if (start < 0) break;
    if (start > index && text[start - 1] === "$") {
      expanded += text.slice(index, start - 1) + "${";
      index = start + 2;
      continue;
    }
    const end = text.indexOf("}", start);
    if (end < 0) return failed('found "${" without "}"', "Write $${ for a literal ${");
    const value = valueOf(text.slice(start + 2, end), env);
    if (value.error !== null) return value;
    expanded += text.slice(index, start) + value.text;
    index = end + 1;
  }
  return { text: expanded + text.slice(index), error: null };
}

function valueOf(reference: string, env: Environment): Expansion {
  const [, name = reference, operator, rest = ""] = /^([^:]*)(:[-?])?([^]*)$/.exec(reference) ?? [];
  if (!NAME.test(name) || (operator === undefined && rest !== "")) {
    const shown = JSON.stringify(`\${${reference.slice(0, 60)}}`);
    return failed(
      `found ${shown}, wanted \${VAR}, \${VAR:-default} or \${VAR:?message}`,
      "Write $${ for a literal ${",
    );
  }
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (operator === undefined) {
    if (value !== undefined) return { text: value, error: null };
    return failed(`the variable ${name} is not set`, `Set it, or write \${${name}:-default}`);
  }
  if (value !== undefined && value !== "") return { text: value, error: null };
  if (operator === ":-") return { text: rest, error: null };
  return failed(`the variable ${name} is not set${rest === "" ? "" : `: ${rest}`}`);
}

function failed(error: string, hint?: string): Expansion {
  return { text: null, error, ...(hint === undefined ? {} : { hint }) };
}
