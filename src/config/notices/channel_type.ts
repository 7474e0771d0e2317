import type { ChannelTarget } from "../../core/notices/settings.ts";
import type { CreateDeliverer } from "../../notices/channels/channel.ts";
import { PATH } from "../values/readers.ts";
import { type Key, key, type Keys, type Values } from "../values/schema.ts";
import type { Field, Report } from "../values/source.ts";

/** A table `[notices.NAME]` while it is read. */
export interface ChannelTable<K extends Keys> {
  readonly keys: K;
  readonly field: Field;
  readonly fields: ReadonlyMap<string, Field>;
  readonly values: Partial<Values<K>>;
  readonly report: Report;
}

/** A server that receives notices, or passes them on. */
export interface NoticeServer {
  /** The key that names it. */
  readonly key: string;
  readonly host: string;
  readonly port: number;
  /** True if the connection begins with TLS. */
  readonly isTls: boolean;
  /** File of the authority that its certificate must be from; null for the system's. */
  readonly caFile: string | null;
  /** True if nothing is sent to addresses that are not public. */
  readonly isPublic: boolean;
  /** True if the server speaks first, as a mail server does. */
  readonly isGreeting?: boolean;
  /** True if it gets datagrams, so that there is no connection to try. */
  readonly isDatagram?: boolean;
}

/** Programs, servers and logs that a channel uses. */
export interface ChannelUses {
  readonly program?: { readonly key: string; readonly path: string; readonly hint?: string };
  readonly server?: NoticeServer;
  /** Sockets of the log of this host; any one of them will do. */
  readonly logs?: { readonly key: string; readonly paths: readonly string[] };
}

/** A type of channel: everything but its rules, which all types have. */
export interface ChannelType<K extends Keys, T extends ChannelTarget> {
  /** Its keys. A key that another type has, too, must be the same object. */
  readonly keys: K;
  /** Other names for it, which an error explains. */
  readonly aliases: readonly string[];
  /** Unknown keys that mean a known one; see `meant` of a schema. */
  readonly meant?: Readonly<Record<string, string>>;
  /** The key that does not work on Windows; null for none. */
  unixKey?(values: Partial<Values<K>>): string | null;
  /** The target of a table; null after a report. */
  read(table: ChannelTable<K>): T | null;
  /** The parts that `jobctl check` and `jobctl doctor` look at. */
  uses(target: T): ChannelUses;
  load(): Promise<CreateDeliverer<T>>;
}

/** Any type of channel. */
// deno-lint-ignore no-explicit-any
export type AnyChannelType = ChannelType<any, any>;

/** The value of a required key. If it is missing, reports that and returns undefined. */
export function needed<K extends Keys, Name extends keyof K & string>(
  { keys, field, fields, values, report }: ChannelTable<K>,
  name: Name,
): Partial<Values<K>>[Name] {
  if (!fields.has(name)) {
    const { wanted } = (keys[name] as Key<unknown>).reader;
    const message = `the key \`${name}\` is missing, wanted ${wanted}`;
    report.missing(field, [...field.path, name], message);
  }
  return values[name];
}

/** The key `ca` of types that connect with TLS. */
export const CA = key(
  PATH,
  "PEM file of the CA that must have signed the server's certificate. By default, any CA that the system trusts.",
);
