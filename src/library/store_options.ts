import { type DurationInput, parseDuration } from "../core/time/duration.ts";
import { isJobError, JobError } from "../core/errors.ts";
import {
  checkKeys,
  isDuration,
  isFilled,
  isObject,
  isOneOf,
  isParsed,
  isText,
  isWithin,
  type KeysOf,
  TEXT,
  WORD,
} from "../core/text/object_keys.ts";
import { snakeCase } from "../core/text/snake_case.ts";
import { maskUrl, parseStoreUrl, type StoreAddress } from "../core/settings/store_address.ts";
import {
  isForStore,
  STORE_DEFAULTS,
  STORE_PREFIX,
  type StoreConfig,
  type StoreTls,
} from "../core/settings/store_config.ts";

/** A store with options: the keys of `[store]` in the configuration, see docs/configuration.md. */
export interface StoreOptions {
  /** "memory:", "sqlite:PATH", the URL of a server, or the path of a module. */
  readonly url: string;
  /** Valkey and etcd: namespace on a shared server; "jobctl" by default. */
  readonly prefix?: string;
  /** Valkey and etcd: user and password; they replace the URL's. */
  readonly username?: string;
  readonly password?: string;
  /** Valkey: the same for the sentinels. */
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  /** Valkey and etcd: true or files turn TLS on. Without `ca`, the system's authorities count. */
  readonly tls?: boolean | StoreTlsOptions;
  /** Valkey: replicas that must confirm a write before it is acknowledged; 0 by default. */
  readonly waitReplicas?: number;
  /** Valkey and etcd: wait of the start for an unreachable server; 0 by default. */
  readonly startWait?: DurationInput;
  /** etcd and modules: a node whose clock differs by more claims nothing; 1 s by default. */
  readonly maxSkew?: DurationInput;
  /** SQLite: acknowledge a write on disk ("full", the default), or in the system's cache. */
  readonly fsync?: "full" | "normal";
}

/** Files of a TLS connection (PEM). */
export interface StoreTlsOptions {
  /** Authority of the servers' certificates; by default the system's. */
  readonly ca?: string;
  /** Client certificate and its key. */
  readonly cert?: string;
  readonly key?: string;
  /** Name that the servers' certificates must have; the host of the URL by default. */
  readonly serverName?: string;
}

const FAILURE = "Cannot open the store";
/** Smallest `maxSkew`, as in the configuration. */
const SKEW_MS_MIN = 100;

const DURATION = [
  "milliseconds or duration text",
  (value: unknown) => isDuration(value) && (!isText(value) || isReadable(value)),
] as const;
const isReadable = isParsed((value) => parseDuration(value as string));

const OPTION_KEYS: KeysOf<StoreOptions> = {
  url: ["the URL of a store", isFilled],
  prefix: [
    "1 to 64 letters, digits, and any of . _ : / -",
    (value) => isText(value) && STORE_PREFIX.test(value),
  ],
  username: WORD,
  password: TEXT,
  sentinelUsername: WORD,
  sentinelPassword: TEXT,
  tls: ["true, or an object of files", (value) => typeof value === "boolean" || isObject(value)],
  waitReplicas: ["a whole number from 0 to 100", isWithin(0, 100)],
  startWait: DURATION,
  maxSkew: DURATION,
  fsync: ['"full" or "normal"', isOneOf(["full", "normal"])],
};
const TLS_KEYS: KeysOf<StoreTlsOptions> = { ca: WORD, cert: WORD, key: WORD, serverName: WORD };

/** True if a value is options of a store, and not a medium. */
export function isStoreOptions(value: object): value is StoreOptions {
  const names = Object.keys(value);
  const isOption = (name: string) => Object.hasOwn(OPTION_KEYS, name);
  // Options without a URL are refused as options, not as a store.
  const isLike = Object.hasOwn(value, "url") || (names.length > 0 && names.every(isOption));
  return isLike && !("commit" in value) && !("claim" in value);
}

/**
 * The store that a URL names, with options.
 *
 * @throws JobError `invalid_argument` with the path of the option, without secrets
 */
export function readStoreOptions(given: string | StoreOptions): StoreConfig {
  const options = typeof given === "string" ? { url: given } : given;
  checkKeys(withoutSecrets(options), OPTION_KEYS, {
    failure: FAILURE,
    noun: "option",
    prefix: "store.",
  });
  if (options.url === undefined) {
    throw refuse("url", "it is missing", 'Write store: { url: "valkey://HOST:PORT", … }');
  }
  const address = addressOf(options.url);
  for (const name of Object.keys(OPTION_KEYS)) {
    const isGiven = Reflect.get(options, name) !== undefined;
    if (!isGiven || isForStore(snakeCase(name), address.type)) continue;
    throw refuse(name, `it has no effect with a store of type "${address.type}"`);
  }
  const tls = tlsOf(options);
  const maxSkewMs = msOf(options.maxSkew) ?? STORE_DEFAULTS.maxSkewMs;
  if (maxSkewMs < SKEW_MS_MIN) throw refuse("maxSkew", `it is less than ${SKEW_MS_MIN} ms`);
  return {
    ...STORE_DEFAULTS,
    address: withCredentials(address, options, tls !== null),
    url: maskUrl(options.url),
    prefix: options.prefix ?? STORE_DEFAULTS.prefix,
    tls: tls ?? (isTls(address) ? NO_FILES : null),
    waitReplicas: options.waitReplicas ?? STORE_DEFAULTS.waitReplicas,
    startWaitMs: msOf(options.startWait) ?? STORE_DEFAULTS.startWaitMs,
    maxSkewMs,
    fsync: options.fsync ?? STORE_DEFAULTS.fsync,
  };
}

const NO_FILES: StoreTls = { ca: null, cert: null, key: null, serverName: null };

// The errors of `checkKeys` show the faulty value, so secrets are checked here.
function withoutSecrets(options: StoreOptions): object {
  const masked: Record<string, unknown> = { ...options };
  for (const name of ["password", "sentinelPassword"]) {
    const value = masked[name];
    if (value !== undefined && !isText(value)) throw refuse(name, "it is not text");
    delete masked[name];
  }
  return masked;
}

function addressOf(url: string): StoreAddress {
  try {
    return parseStoreUrl(url);
  } catch (error) {
    if (!isJobError(error)) throw error;
    throw new JobError("invalid_argument", `${FAILURE}: ${error.message}`, {
      path: "store",
      hint: error.hint ?? "Or pass a ReplicaMedium",
    });
  }
}

function isTls(address: StoreAddress): boolean {
  return (address.type === "valkey" || address.type === "etcd") && address.isTls;
}

function tlsOf({ tls }: StoreOptions): StoreTls | null {
  if (tls === undefined || tls === false) return null;
  if (tls === true) return NO_FILES;
  checkKeys(tls, TLS_KEYS, { failure: FAILURE, noun: "option", prefix: "store.tls." });
  const { ca = null, cert = null, key = null, serverName = null } = tls;
  if (cert !== null && key === null) {
    throw refuse("tls.key", "it is missing, but store.tls.cert is set");
  }
  if (key !== null && cert === null) {
    throw refuse("tls.cert", "it is missing, but store.tls.key is set");
  }
  return { ca, cert, key, serverName };
}

function withCredentials(
  address: StoreAddress,
  { username, password, sentinelUsername, sentinelPassword }: StoreOptions,
  hasTls: boolean,
): StoreAddress {
  if (address.type !== "valkey" && address.type !== "etcd") return address;
  const whole = {
    ...address,
    isTls: address.isTls || hasTls,
    username: username ?? address.username,
    password: password ?? address.password,
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
  };
  if (username === undefined || whole.password !== null) return whole;
  throw refuse("password", "it is missing, but store.username is set");
}

function msOf(value: DurationInput | undefined): number | undefined {
  return typeof value === "string" ? parseDuration(value) : value;
}

function refuse(name: string, problem: string, hint?: string): JobError {
  return new JobError("invalid_argument", `${FAILURE}: "store.${name}": ${problem}`, {
    path: `store.${name}`,
    hint,
  });
}
