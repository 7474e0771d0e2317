/** A value of a property list. */
export type PlistValue =
  | string
  | number
  | boolean
  | readonly PlistValue[]
  | { readonly [key: string]: PlistValue };

const HEAD =
  /^<\?xml version="1\.0" encoding="UTF-8"\?>\n(?:<!-- (?:(?!--).)* -->\n)?<!DOCTYPE plist PUBLIC "[^"]+" "[^"]+">\n<plist version="1\.0">/;
const TOKEN = /\s*(?:<(\/?)([a-z]+)(\/?)>|([^<>]+))/gy;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">" };

/** Parse a property list in XML, as strictly as `plutil -lint`. @throws Error at what it is not */
export function parsePlist(text: string): PlistValue {
  const head = HEAD.exec(text);
  if (head === null) throw new Error("It does not begin as a property list");
  const tokens = [...text.slice(head[0].length).trimEnd().matchAll(TOKEN)];
  const length = tokens.reduce((sum, [found]) => sum + found.length, 0);
  if (length !== text.slice(head[0].length).trimEnd().length) throw new Error("It is not XML");
  let at = 0;
  const next = (): string => {
    const token = tokens[at++];
    if (token === undefined) throw new Error("It ends too early");
    const [, slash, name, empty, content] = token;
    return name === undefined ? `text:${content}` : `${slash}${name}${empty}`;
  };
  const expect = (wanted: string) => {
    const found = next();
    if (found !== wanted) throw new Error(`Found ${found}, wanted ${wanted}`);
  };
  const content = (name: string): string => {
    const found = next();
    if (found === `/${name}`) return "";
    expect(`/${name}`);
    return found.slice("text:".length).replace(/&(\w*);?/g, (all, entity) => {
      if (!Object.hasOwn(ENTITIES, entity)) throw new Error(`Unknown entity ${all}`);
      return ENTITIES[entity]!;
    });
  };
  const value = (first: string): PlistValue => {
    switch (first) {
      case "true/":
        return true;
      case "false/":
        return false;
      case "string":
        return content(first);
      case "integer": {
        const digits = content(first);
        if (!/^-?\d+$/.test(digits)) throw new Error(`"${digits}" is no integer`);
        return Number(digits);
      }
      case "array": {
        const items: PlistValue[] = [];
        for (let one = next(); one !== "/array"; one = next()) items.push(value(one));
        return items;
      }
      case "dict": {
        const entries: [string, PlistValue][] = [];
        for (let one = next(); one !== "/dict"; one = next()) {
          if (one !== "key") throw new Error(`Found ${one}, wanted a key`);
          entries.push([content("key"), value(next())]);
        }
        return Object.fromEntries(entries);
      }
    }
    throw new Error(`Unknown element ${first}`);
  };
  const parsed = value(next());
  expect("/plist");
  if (at !== tokens.length) throw new Error("Something follows the property list");
  return parsed;
}
