import { resolve } from "node:path";
import { isJobError } from "../core/errors.ts";
import { didYouMean } from "../core/text/nearest.ts";
import {
  maskUrl,
  parseStoreUrl,
  STORE_URL_WANTED,
  type StoreAddress,
} from "../core/store_address.ts";
import { STORE_PREFIX, type StoreTarget, TARGET_NAME } from "../core/store_config.ts";
import { type Reader, string, TEXT } from "./readers.ts";
import { secret } from "./secrets.ts";
import { childOf, type Field, isTable, type Report } from "./source.ts";

/** Keys of a target in table form. */
const TARGET_KEYS = ["url", "prefix", "username", "password"];

/** The URL of a store. */
export function storeUrl(): Reader<{ readonly address: StoreAddress; readonly url: string }> {
  return {
    schema: TEXT,
    wanted: STORE_URL_WANTED,
    read(field, report) {
      const { value } = field;
      if (typeof value !== "string") return report.mismatch(field, STORE_URL_WANTED);
      try {
        const address = parseStoreUrl(value);
        const url = maskUrl(value);
        if ("password" in address && address.password !== null) {
          report.secret(field, address.password);
        }
        if (!("path" in address)) return { address, url };
        return { address: { ...address, path: resolve(field.source.baseDir, address.path) }, url };
      } catch (error) {
        if (!isJobError(error, "invalid_argument")) throw error;
        // The value of a variable must not be shown, and the message could quote it.
        return field.source.rawOf(field.path) === undefined
          ? report.value(field, error.message, error.hint)
          : report.mismatch(field, STORE_URL_WANTED, error.hint);
      }
    },
  };
}

/** A namespace on a server that others use too. */
export function prefix(): Reader<string> {
  const wanted = "up to 64 letters, digits and _ . : / -";
  return {
    schema: TEXT,
    wanted,
    read(field, report) {
      const { value } = field;
      return typeof value === "string" && STORE_PREFIX.test(value)
        ? value
        : report.mismatch(field, wanted);
    },
  };
}

/** Stores to move to, by name. */
export function targets(): Reader<Readonly<Record<string, StoreTarget>>> {
  const wanted = "a table of stores by name, each a URL or { url, prefix, username, password }";
  const keys = { url: TEXT, prefix: TEXT, username: TEXT, password: secret().schema };
  const table = {
    type: "object",
    properties: keys,
    required: ["url"],
    additionalProperties: false,
  };
  return {
    schema: { type: "object", additionalProperties: { anyOf: [TEXT, table] } },
    wanted,
    read(field, report) {
      const { value } = field;
      if (!isTable(value)) return report.mismatch(field, wanted);
      const found: Record<string, StoreTarget> = {};
      for (const [name, target] of Object.entries(value)) {
        const child = childOf(field, name, target);
        if (!TARGET_NAME.test(name)) {
          report.key(
            child,
            "found an invalid target name, wanted letters, digits, _ and -",
          );
          continue;
        }
        const read = readTarget(child, report);
        if (read !== undefined) found[name] = read;
      }
      return found;
    },
  };
}

function readTarget(field: Field, report: Report): StoreTarget | undefined {
  const { value } = field;
  if (!isTable(value)) return namedStore(field, report);
  for (const name of Object.keys(value)) {
    if (TARGET_KEYS.includes(name)) continue;
    const hint = didYouMean(name, TARGET_KEYS) ?? `Known keys: ${TARGET_KEYS.join(", ")}`;
    report.key(childOf(field, name, null), "unknown key", hint);
  }
  if (value.url === undefined) return report.value(field, "found no url, wanted one");
  const part = <T>(name: string, reader: Reader<T>) =>
    value[name] === undefined ? null : reader.read(childOf(field, name, value[name]), report);
  const store = namedStore(childOf(field, "url", value.url), report);
  const [space, username] = [part("prefix", prefix()), part("username", string())];
  const password = part("password", secret());
  if (!store || space === undefined || username === undefined || password === undefined) return;
  const { address } = store;
  if (address.type !== "valkey" && address.type !== "etcd") return { ...store, prefix: space };
  const login = {
    username: username ?? address.username,
    password: password ?? address.password,
  };
  return { ...store, address: { ...address, ...login }, prefix: space };
}

function namedStore(field: Field, report: Report): StoreTarget | undefined {
  const store = storeUrl().read(field, report);
  if (store === undefined) return undefined;
  const { address } = store;
  switch (address.type) {
    case "memory":
      return report.value(field, "found memory, which loses everything when the daemon ends");
    case "module":
      return report.value(
        field,
        "found a module: a caller could make the daemon load its code",
        "Move there without a daemon: jobctl store migrate --to MODULE --config FILE",
      );
    case "sqlite":
      return { address, url: `sqlite:${address.path}`, prefix: null };
    default:
      return { ...store, prefix: null };
  }
}
