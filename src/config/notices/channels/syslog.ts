import { bareHost } from "../../../core/address.ts";
import { SYSLOG_FACILITIES, type SyslogFacility } from "../../../core/notices/settings.ts";
import type { SyslogAddress, SyslogTarget } from "../../../notices/channels/syslog_channel.ts";
import { choice, parsedText, type Reader } from "../../values/readers.ts";
import { key } from "../../values/schema.ts";
import type { ChannelType } from "../channel_type.ts";
import { readUrl } from "../notice_url.ts";

const FACILITIES = Object.keys(SYSLOG_FACILITIES) as SyslogFacility[];
/** Places of the log of this host. */
const LOGS = ["/dev/log", "/run/systemd/journal/socket"];

const SYSLOG_ADDRESS: Reader<SyslogAddress> = parsedText(
  '"udp://HOST:514", "tcp://HOST:514", or "unix:/PATH" of a socket',
  (text) => {
    const path = /^unix:(\/[^\0]+)$/.exec(text)?.[1];
    if (path !== undefined) return { type: "socket", path };
    const url = readUrl(text);
    const type = url?.protocol.slice(0, -1);
    if (url === null || (type !== "udp" && type !== "tcp")) return undefined;
    const isWhole = url.hostname !== "" && /^\/?$/.test(url.pathname) && url.search === "" &&
      url.username === "";
    if (!isWhole) return undefined;
    return { type, host: bareHost(url.hostname), port: url.port === "" ? 514 : Number(url.port) };
  },
);

const KEYS = {
  address: key(
    SYSLOG_ADDRESS,
    "Where messages go. By default to the log of this host: syslog or journald.",
  ),
  facility: key(choice(FACILITIES), "Facility of the messages.", "daemon"),
};

/** By the log of this host, or of another one. */
export const SYSLOG: ChannelType<typeof KEYS, SyslogTarget> = {
  keys: KEYS,
  aliases: ["journald", "journal"],
  unixKey: ({ address }) => address === undefined || !("host" in address) ? "to" : null,
  read({ values: { address = { type: "local" }, facility = "daemon" } }) {
    return { to: "syslog", address, facility };
  },
  uses({ address }) {
    if ("host" in address) {
      const { host, port, type } = address;
      const plain = { isTls: false, caFile: null, isPublic: false };
      return { server: { key: "address", host, port, ...plain, isDatagram: type === "udp" } };
    }
    return {
      program: { key: "to", path: "logger" },
      logs: { key: "address", paths: address.type === "socket" ? [address.path] : LOGS },
    };
  },
  load: async () =>
    (await import("../../../notices/channels/syslog_channel.ts")).createSyslogChannel,
};
