import { resolve } from "node:path";
import { isJobError } from "../core/errors.ts";
import {
  maskUrl,
  parseStoreUrl,
  STORE_URL_WANTED,
  type StoreAddress,
} from "../core/settings/store_address.ts";
import { STORE_PREFIX, type StoreTarget, TARGET_NAME } from "../core/settings/store_config.ts";
import { isObject } from "../core/text/object_keys.ts";
import { accepted, mapped, optional, type Reader, string, table, TEXT } from "./values/readers.ts";
import { SECRET } from "./values/secrets.ts";
import { childOf } from "./values/source.ts";

/** The URL of a store. */
export const STORE_URL: Reader<{ readonly address: StoreAddress; readonly url: string }> = {
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

/** A namespace on a server that others use too. */
export const PREFIX: Reader<string> = accepted(
  "up to 64 letters, digits and _ . : / -",
  TEXT,
  (value) => typeof value === "string" && STORE_PREFIX.test(value) ? value : undefined,
);

/** A store that the configuration names, by its URL. */
const NAMED_STORE: Reader<StoreTarget> = mapped(STORE_URL, (store, field, report) => {
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
});

const TARGET_TABLE: Reader<StoreTarget> = mapped(
  table("a table { url, prefix, username, password }", {
    url: NAMED_STORE,
    prefix: optional(PREFIX),
    username: optional(string()),
    password: optional(SECRET),
  }),
  ({ url: store, prefix, username, password }) => {
    const { address } = store;
    if (address.type !== "valkey" && address.type !== "etcd") return { ...store, prefix };
    const login = {
      username: username ?? address.username,
      password: password ?? address.password,
    };
    return { ...store, address: { ...address, ...login }, prefix };
  },
);

const TARGETS_WANTED =
  "a table of stores by name, each a URL or { url, prefix, username, password }";

/** Stores to move to, by name. */
export const TARGETS: Reader<Readonly<Record<string, StoreTarget>>> = {
  schema: { type: "object", additionalProperties: { anyOf: [TEXT, TARGET_TABLE.schema] } },
  wanted: TARGETS_WANTED,
  read(field, report) {
    const { value } = field;
    if (!isObject(value)) return report.mismatch(field, TARGETS_WANTED);
    const found: Record<string, StoreTarget> = {};
    for (const [name, target] of Object.entries(value)) {
      const child = childOf(field, name, target);
      if (!TARGET_NAME.test(name)) {
        report.key(child, "found an invalid target name, wanted letters, digits, _ and -");
        continue;
      }
      const read = (isObject(target) ? TARGET_TABLE : NAMED_STORE).read(child, report);
      if (read !== undefined) found[name] = read;
    }
    return found;
  },
};
