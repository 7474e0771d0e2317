import type { Setting, Settings } from "../core/settings/config_settings.ts";
import { isObject } from "../core/text/object_keys.ts";
import { maskUrl } from "../core/settings/store_address.ts";
import { SecretMask } from "../core/text/secret_mask.ts";
import { SCHEMA } from "./keys.ts";
import type { Keys } from "./values/schema.ts";
import { childOf, type Field, formatPath, type KeyPath, NO_PLACES } from "./values/source.ts";

/** Most jobs whose tables are kept to be listed: with thousands they need most memory. */
export const LISTED_JOBS_MAX = 200;
/** Most settings of a list, and most characters of all values in it. */
const SETTINGS_MAX = 10_000;
const CHARS_MAX = 1_000_000;
const VALUE_CHARS_MAX = 2_000;

const MASK = "***";
/** Keys whose text is a secret, unless it is a reference to one. */
const SECRET_NAME = /(?:^|_)(?:token|hash|password|secret|ping_key)$/;
/** Keys below which every text may be a secret: variables, headers, bodies, shell lines. */
const SECRET_TABLES: ReadonlySet<unknown> = new Set(["env", "headers", "body", "run", "stdin"]);
/** The keys of a table that refers to a secret. */
const REFERENCES: ReadonlySet<string> = new Set(["file", "env", "credential"]);

/** Source of {@link settingsOf}. */
export interface SettingsSource {
  /** Values outside of named tables, by the dotted path of their keys. */
  readonly fields: ReadonlyMap<string, Field>;
  /** The tables of channels and jobs. */
  readonly tables: readonly Field[];
  /** True if `tables` is incomplete. */
  readonly hasMore: boolean;
  /** Texts that no output may show, under any key. */
  readonly secrets: ReadonlySet<string>;
}

/** A function that lists the settings of a configuration. They are read when it is first called. */
export function settingsOf(source: SettingsSource): () => Settings {
  let left: SettingsSource | null = source;
  let found: Settings | null = null;
  return () => {
    if (left !== null) found = readSettings(left);
    left = null;
    return found!;
  };
}

function readSettings({ fields, tables, hasMore, secrets }: SettingsSource): Settings {
  const mask = new SecretMask(secrets);
  const settings: Setting[] = [];
  let chars = 0;
  const add = (path: string, field: Field, origin: string | null): boolean => {
    const whole = mask.json(JSON.stringify(shownValue(field)));
    const isLong = whole.length > VALUE_CHARS_MAX;
    const value = isLong ? JSON.stringify(`${whole.slice(0, VALUE_CHARS_MAX)}…`) : whole;
    chars += path.length + value.length;
    const fits = settings.length < SETTINGS_MAX && chars <= CHARS_MAX;
    if (fits) settings.push({ path: mask.text(path), value, origin });
    return fits;
  };
  let isWhole = true;
  for (const [path, key] of Object.entries<Keys[string]>(SCHEMA.keys)) {
    const field = fields.get(path);
    if (field !== undefined) isWhole = add(path, field, originOf(field)) && isWhole;
    else if (key.initial !== undefined) {
      isWhole = add(path, builtIn(path, key.initial), null) && isWhole;
    }
  }
  for (const table of tables) {
    if (!isObject(table.value)) continue;
    for (const [name, value] of Object.entries(table.value)) {
      const field = childOf(table, name, value);
      isWhole = add(formatPath(field.path), field, originOf(field)) && isWhole;
    }
  }
  return { settings, hasMore: hasMore || !isWhole };
}

function originOf({ source, path }: Field): string | null {
  const place = source.placeOf(path, "key");
  return place === null ? source.label : `${place.file}:${place.line}`;
}

function builtIn(path: string, value: unknown): Field {
  const source = { baseDir: "", label: null, env: {}, isText: false, ...NO_PLACES };
  return { value, path: path.split("."), source };
}

/** The value of a field for people, with {@link MASK} in place of possible secrets. */
function shownValue(field: Field): unknown {
  const { value, path } = field;
  if (isObject(value)) {
    if (isReference(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [name, shownValue(childOf(field, name, one))]),
    );
  }
  if (Array.isArray(value)) {
    return value.map((one, index) => shownValue(childOf(field, index, one)));
  }
  if (isSecret(path)) return MASK;
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "string") return value;
  // The value of a variable may be a secret.
  return shownText(field.source.rawOf(path) ?? value, path);
}

function isReference(table: Readonly<Record<string, unknown>>): boolean {
  const [name, ...others] = Object.keys(table);
  return others.length === 0 && REFERENCES.has(name ?? "") && typeof table[name!] === "string";
}

function isSecret(path: KeyPath): boolean {
  // The program may be shown, but its arguments may contain a key.
  const command = path.lastIndexOf("command");
  if (command >= 0 && path[command + 1] !== 0) return true;
  if (path.some((name) => SECRET_TABLES.has(name))) return true;
  const names = path.filter((name) => typeof name === "string");
  return SECRET_NAME.test(names.at(-1) ?? "");
}

function shownText(text: string, path: KeyPath): string {
  // The paths of webhooks are keys, and parameters of any URL may be.
  if (path.at(-1) === "url" && path[0] !== "store") {
    const [origin] = /^https?:\/\/[^/?#]*/i.exec(text) ?? [];
    return origin === undefined ? MASK : `${maskUserInfo(origin)}/${MASK}`;
  }
  return maskUrl(text).replace(/^([a-z][a-z0-9+.-]*:[^?]*\?)[^]*$/i, `$1${MASK}`);
}

function maskUserInfo(origin: string): string {
  return origin.replace(/\/\/[^]*@/, `//${MASK}@`);
}
