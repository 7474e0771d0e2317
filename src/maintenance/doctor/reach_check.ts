import { orElse } from "../../core/or_else.ts";
import type { Buffer } from "node:buffer";
import { hostPort } from "../../core/address.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { readRegularFile } from "../../platform/files/read_file.ts";
import type { Config } from "../../config/config.ts";
import type { NoticeServer } from "../../config/notices/channel_type.ts";
import { CHANNEL_TYPES } from "../../config/notices/notice_keys.ts";
import { serverOfUrl } from "../../config/notices/notice_url.ts";
import type { Clock } from "../../platform/clock.ts";
import { type Dialog, type Endpoint, reach, type Reached } from "./connect.ts";
import { type Finding, findingsOf } from "./finding.ts";

/** A server that notices or heartbeats go to. */
export interface Receiver {
  /** Its place in the configuration, such as `notices.ops`. */
  readonly name: string;
  readonly endpoint: Endpoint;
}

/** The result of a connection to a receiver. */
export interface ReceiverFacts extends Receiver {
  readonly reached: Reached;
}

/** Most receivers tried: all connections are made at once. */
const RECEIVERS_MAX = 60;
const CA_BYTES_MAX = 4 * 2 ** 20;

/** The greeting of a mail server; nothing is sent after it. */
const GREETING: Dialog = { request: null, isComplete: (answer) => /^\d{3} [^\n]*\n/m.test(answer) };

/** The servers of all channels and of the heartbeat. */
export function receiversOf({ notices, heartbeat }: Pick<Config, "notices" | "heartbeat">) {
  const receivers: Receiver[] = [];
  for (const { name, target } of notices) {
    const { server } = CHANNEL_TYPES[target.to]!.uses(target);
    if (server === undefined || server.isDatagram) continue;
    receivers.push({ name: `notices.${name}`, endpoint: endpointOf(server) });
  }
  if (heartbeat !== null) {
    const server = serverOfUrl(heartbeat.url, { ...heartbeat, caFile: null });
    receivers.push({ name: "heartbeat", endpoint: endpointOf(server) });
  }
  return receivers.slice(0, RECEIVERS_MAX);
}

/** Connect to all at once. Nothing is sent but the beginning of TLS. */
export async function reachAll(
  receivers: readonly Receiver[],
  options: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<ReceiverFacts[]> {
  return await Promise.all(receivers.map(async (receiver) => ({
    ...receiver,
    reached: await reach(receiver.endpoint, options),
  })));
}

/** Judge the connections. */
export function checkReach(receivers: readonly ReceiverFacts[]): Finding[] {
  const { ok, note, warning } = findingsOf("reach");
  if (receivers.length === 0) return [ok("no channel is reached over the network")];
  return receivers.map(({ name, endpoint, reached }) => {
    const { host, port, tls, dialog } = endpoint;
    const at = hostPort(host, port);
    if (reached.type === "private") {
      const found = `${host} has the address ${reached.addresses.join(", ")}, which is not public`;
      return warning(
        `${name}: ${found}, so nothing is sent there`,
        `set allow_private = true in [${name}]`,
      );
    }
    if (reached.type === "connected") {
      if (dialog === null || reached.answer.startsWith("220")) {
        return ok(`${name}: ${at} accepts connections${tls === null ? "" : " with TLS"}`);
      }
      const first = reached.answer.split("\r\n", 1)[0]!.slice(0, 100);
      return warning(`${name}: ${at} refuses mail: ${first}`, probe(endpoint));
    }
    const text = `${name}: cannot reach ${at}: ${reached.why}`;
    // Some mail servers greet late on purpose.
    const isSlow = dialog !== null && reached.stage === "answer";
    return isSlow ? note(text, probe(endpoint)) : warning(text, probe(endpoint));
  });
}

function probe({ host, port, tls }: Endpoint): string {
  const at = shellWord(hostPort(host, port));
  return tls === null
    ? `nc -vz ${shellWord(host)} ${port}`
    : `openssl s_client -connect ${at} -brief </dev/null`;
}

function endpointOf(server: NoticeServer): Endpoint {
  const { host, port, isTls, caFile, isPublic, isGreeting } = server;
  const tls = isTls ? { ca: readCa(caFile) } : null;
  return { host, port, tls, isPublic, dialog: isGreeting ? GREETING : null };
}

function readCa(path: string | null): Buffer | null {
  if (path === null) return null;
  // Then TLS fails, and `jobctl check` names the file.
  return orElse(() => readRegularFile(path, CA_BYTES_MAX)?.bytes ?? null, null);
}
