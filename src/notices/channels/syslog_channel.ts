import { createSocket } from "node:dgram";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import type { Notice } from "../../core/notices/notice.ts";
import {
  type ChannelSettings,
  type ChannelTarget,
  SYSLOG_FACILITIES,
  type SyslogFacility,
} from "../../core/notices/settings.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { connectionProblem } from "../../platform/network/connection_problem.ts";
import { type Severity, severityOf } from "../render/severity.ts";
import { factLines } from "../render/text.ts";
import { type NoticeView, viewOf } from "../render/view.ts";
import { type ChannelDeps, type Deliverer, DeliveryError } from "./channel.ts";
import { runProgram } from "./run_program.ts";

const LEVELS: Readonly<Record<Severity, readonly [number: number, name: string]>> = {
  critical: [2, "crit"],
  error: [3, "err"],
  warning: [4, "warning"],
  info: [6, "info"],
  ok: [5, "notice"],
};

/** Longest message, in characters. The rest would not fit into one datagram. */
const MESSAGE_LENGTH_MAX = 900;
const JOURNAL = "/run/systemd/journal/socket";
const LOG = "/dev/log";

/** By the system's log. */
export interface SyslogTarget extends ChannelTarget {
  readonly to: "syslog";
  readonly address: SyslogAddress;
  readonly facility: SyslogFacility;
}

/** The place of a log: this host, one of its sockets, or another host. */
export type SyslogAddress =
  | { readonly type: "local" }
  | { readonly type: "socket"; readonly path: string }
  | { readonly type: "udp" | "tcp"; readonly host: string; readonly port: number };

type RemoteAddress = Extract<SyslogAddress, { readonly host: string }>;
type LocalAddress = Exclude<SyslogAddress, RemoteAddress>;

/** Writes to the log of this host or of another one. */
export function createSyslogChannel(
  { name, target: { address, facility } }: ChannelSettings<SyslogTarget>,
  { clock, timezone }: ChannelDeps,
): Deliverer {
  const view = (notice: Notice) => viewOf(notice, { channel: name, timezone });
  return {
    async deliver(notice, { signal }) {
      if ("host" in address) {
        const frame = remoteMessage(notice, view(notice), facility);
        await (address.type === "udp" ? sendDatagram : sendStream)(address, frame, signal);
        return;
      }
      const { argv, input } = loggerRun(notice, view(notice), { address, facility });
      await runProgram({ argv, input, env: {}, clock, signal });
    },
    preview(notice) {
      if ("host" in address) {
        const at = `${address.type}://${address.host}:${address.port}`;
        return Promise.resolve(`${at}\n${remoteMessage(notice, view(notice), facility)}\n`);
      }
      const { argv, input } = loggerRun(notice, view(notice), { address, facility });
      return Promise.resolve(`${argv.join(" ")}\n\n${input}`);
    },
  };
}

/** The message on one line. */
function messageOf(view: NoticeView): string {
  const facts = factLines(view).filter((fact) => !/^(?:Time|Node): /.test(fact));
  return [view.title, ...facts].join("; ").slice(0, MESSAGE_LENGTH_MAX);
}

/** Program that writes a message to this host's log: no runtime has datagram sockets of Unix. */
function loggerRun(
  notice: Notice,
  view: NoticeView,
  { address, facility }: {
    readonly address: LocalAddress;
    readonly facility: SyslogFacility;
  },
): { readonly argv: readonly string[]; readonly input: string } {
  const [level, levelName] = LEVELS[severityOf(notice)];
  const message = messageOf(view);
  const isJournal = address.type === "local" && !existsSync(LOG) && existsSync(JOURNAL);
  if (!isJournal) {
    const socket = address.type === "local" ? [] : ["-u", address.path];
    const options = ["-t", "jobctl", "-p", `${facility}.${levelName}`, ...socket];
    // Otherwise it ignores a missing socket.
    return { argv: ["logger", "--socket-errors=on", ...options], input: `${message}\n` };
  }
  const fields = {
    MESSAGE: message,
    PRIORITY: level,
    SYSLOG_FACILITY: SYSLOG_FACILITIES[facility],
    SYSLOG_IDENTIFIER: "jobctl",
    JOBCTL_EVENT: notice.type,
    JOBCTL_NOTICE: notice.id,
    JOBCTL_SUBJECT: makeVisible(notice.subject.name),
    ...(notice.run === null ? {} : { JOBCTL_RUN: notice.run.id }),
    ...(notice.incident === null ? {} : { JOBCTL_INCIDENT: notice.incident.id }),
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}=${value}\n`);
  return { argv: ["logger", "--journald"], input: lines.join("") };
}

/** One message of RFC 5424. */
function remoteMessage(notice: Notice, view: NoticeView, facility: SyslogFacility): string {
  const [level] = LEVELS[severityOf(notice)];
  const priority = SYSLOG_FACILITIES[facility] * 8 + level;
  const host = word(notice.host, 255);
  const time = new Date(notice.at).toISOString();
  // 32473 is the number for examples: jobctl has no registered one.
  const data = Object.entries({
    event: notice.type,
    notice: notice.id,
    subject: notice.subject.name,
    ...(notice.run === null ? {} : { run: notice.run.id }),
    ...(notice.incident === null ? {} : { incident: notice.incident.id }),
  }).map(([name, value]) => ` ${name}="${makeVisible(value).replaceAll(/["\\\]]/g, "\\$&")}"`);
  const head = `<${priority}>1 ${time} ${host} jobctl - ${word(notice.type, 32)}`;
  return `${head} [jobctl@32473${data.join("")}] ${messageOf(view)}`;
}

/** Printable ASCII without blanks, like fields of the head. */
function word(text: string, lengthMax: number): string {
  return text.replaceAll(/[^\x21-\x7e]/g, "").slice(0, lengthMax) || "-";
}

function sendDatagram(
  { host, port }: RemoteAddress,
  frame: string,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const finish = (error: unknown) => {
      signal.removeEventListener("abort", abort);
      socket.close();
      if (error) {
        reject(new DeliveryError(`cannot send to ${host}:${port}: ${connectionProblem(error)}`));
      } else resolve();
    };
    const abort = () => finish(new Error("timed out"));
    signal.addEventListener("abort", abort, { once: true });
    socket.once("error", finish);
    socket.send(frame, port, host, finish);
  });
}

/** With its length first, by RFC 6587. */
function sendStream(
  { host, port }: RemoteAddress,
  frame: string,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const finish = (error: unknown) => {
      signal.removeEventListener("abort", abort);
      if (error === null) return resolve();
      socket.destroy();
      reject(new DeliveryError(`cannot send to ${host}:${port}: ${connectionProblem(error)}`));
    };
    const abort = () => finish(new Error("timed out"));
    signal.addEventListener("abort", abort, { once: true });
    socket.on("error", finish);
    socket.once("connect", () => {
      socket.end(`${Buffer.byteLength(frame)} ${frame}`, () => finish(null));
    });
  });
}
