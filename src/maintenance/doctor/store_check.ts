import { dirname } from "node:path";
import { hostPort } from "../../core/address.ts";
import type { UnitRefusal } from "../../config/backup_folder.ts";
import type { EtcdAddress, HostPort, ValkeyAddress } from "../../core/settings/store_address.ts";
import type { StoreConfig } from "../../core/settings/store_config.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import type { Clock } from "../../platform/clock.ts";
import { makeFolderCommand, type Unwritable } from "../../platform/files/unwritable.ts";
import { silentLogger } from "../../platform/logger.ts";
import { type ClientTls, loadClientTls } from "../../platform/network/tls.ts";
import { type Dialog, reach, type Reached } from "./connect.ts";
import type { DaemonFacts } from "./facts.ts";
import { type Finding, findingsOf } from "./finding.ts";
import type { SqliteLook } from "./sqlite_look.ts";

/** Facts about the configured store. */
export interface StoreFacts {
  /** As configured, without secrets. */
  readonly url: string;
  /** `--config FILE`, or nothing, for commands that work without a daemon. */
  readonly configOption: string;
  /** The daemon's report; null if none runs. */
  readonly daemon: DaemonFacts | null;
  /** Null unless it is a SQLite file. */
  readonly file: SqliteFacts | null;
  /** Servers of the store, if no daemon answers. */
  readonly servers: readonly ServerFacts[];
  readonly isMemory: boolean;
}

/** A SQLite store. */
export interface SqliteFacts {
  readonly path: string;
  /** Null while a daemon answers for it. */
  readonly look: SqliteLook | null;
  /** Places that the daemon's user cannot write to; null if there are none. */
  readonly unwritable: Unwritable | null;
  /** The unit whose daemon cannot write to its folder; null if none. */
  readonly refusal: UnitRefusal | null;
  /** Name of that user. */
  readonly user: string;
}

/** One server of the store. */
export interface ServerFacts extends HostPort {
  readonly reached: Reached;
  /** True if it answered like a server of that kind. */
  readonly isRight: boolean;
}

const SLOW_MS = 250;
const SERVERS_MAX = 16;

/** Any answer with a known word identifies the server: it may want a password first. */
const PING: Dialog = { request: "PING\r\n", isComplete: (answer) => answer.includes("\r\n") };
/** etcd speaks HTTP/2: it answers the beginning of a connection with its settings. */
const PREFACE: Dialog = {
  request: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
  isComplete: (answer) => answer.length >= 9,
};

/** Connect to the servers of a store. */
export async function reachServers(
  address: ValkeyAddress | EtcdAddress,
  tls: StoreConfig["tls"],
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<ServerFacts[]> {
  const nowMs = clock.now().wallMs;
  const isValkey = address.type === "valkey";
  const files: ClientTls | null = address.isTls && tls !== null
    ? await loadClientTls(tls, { nowMs, logger: silentLogger })
    : null;
  const none = { ca: null, cert: null, key: null, serverName: null };
  return await Promise.all(
    address.hosts.slice(0, SERVERS_MAX).map(async ({ host, port }) => {
      const reached = await reach({
        host,
        port,
        isPublic: false,
        tls: address.isTls ? files ?? none : null,
        dialog: isValkey ? PING : PREFACE,
      }, { clock, timeoutMs });
      const answer = reached.type === "connected" ? reached.answer : "";
      // The type of the first frame of HTTP/2 is SETTINGS.
      const isRight = isValkey ? /^[+-]/.test(answer) : answer.charCodeAt(3) === 4;
      return { host, port, reached, isRight };
    }),
  );
}

/** Judge the store. */
export function checkStore(facts: StoreFacts): Finding[] {
  const { url, daemon, file, servers, isMemory } = facts;
  const { note, unchecked } = findingsOf("store");
  const findings: Finding[] = file === null ? [] : checkWritable(file);
  if (daemon !== null) return [...findings, ...checkAnswers(daemon)];
  if (isMemory) {
    return [
      note(
        "it is in memory: what is in it ends with the daemon",
        'set store.url = "sqlite:jobctl.db"',
      ),
    ];
  }
  if (file?.look) return [...findings, ...checkFile(file.look, facts)];
  if (servers.length > 0) return servers.flatMap((server) => checkServer(server, url));
  return findings.length > 0 ? findings : [unchecked(`${url} is opened only by a daemon`)];
}

function checkWritable({ path, unwritable, user, refusal }: SqliteFacts): Finding[] {
  const { error } = findingsOf("store");
  const findings = unwritable === null ? [] : [checkUnwritable(unwritable, user)];
  if (refusal === null) return findings;
  const text = `${refusal.unit} does not let the daemon write to "${dirname(path)}"`;
  return [...findings, error(text, refusal.remedy)];
}

function checkUnwritable({ path, why, isMissing }: Unwritable, user: string): Finding {
  const { error } = findingsOf("store");
  const at = shellWord(path);
  if (why === "disk") {
    return error(
      `"${path}" is on a file system that is read-only`,
      `sudo mount -o remount,rw "$(findmnt -no TARGET -T ${at})"`,
    );
  }
  if (isMissing) {
    return error(`user ${user} cannot create "${path}"`, makeFolderCommand(path, user));
  }
  const mend = `sudo chown ${shellWord(user)} ${at} && sudo chmod u+rw ${at}`;
  return error(`user ${user} cannot write to "${path}"`, mend);
}

function checkAnswers(daemon: DaemonFacts): Finding[] {
  const { ok, note, warning, error } = findingsOf("store");
  const { storeType, storeLocation, storeProblem, latencyMs } = daemon;
  if (storeProblem !== null) return [error(storeProblem, "jobctl store verify")];
  const ms = Math.round(latencyMs);
  if (latencyMs >= SLOW_MS) {
    return [warning(`the daemon took ${ms} ms to read its status`, "jobctl store info")];
  }
  if (storeType === "memory") {
    return [
      note(
        "it is in memory: what is in it ends with the daemon",
        'set store.url = "sqlite:jobctl.db"',
      ),
    ];
  }
  return [ok(`${storeType} ${storeLocation} answers the daemon, in ${ms} ms`)];
}

function checkFile(look: SqliteLook, { file, configOption }: StoreFacts): Finding[] {
  const { ok, error, unchecked } = findingsOf("store");
  const { path } = file!;
  const verify = `jobctl store verify${configOption}`;
  switch (look.type) {
    case "missing":
      return [ok(`"${path}" does not exist yet: the first start makes it`)];
    case "owned":
      return [unchecked(
        `process ${look.pid ?? "of another machine"} has "${path}" open, and did not answer`,
        look.pid === null ? null : `ps -fp ${look.pid}, then jobctl doctor --port PORT`,
      )];
    case "unreadable":
      return [unchecked(`"${path}": ${look.why}`, "sudo jobctl doctor")];
    case "unclosed":
      return [unchecked(
        `"${path}" was not closed: the next start reads its log of ${look.logBytes} bytes`,
        verify,
      )];
    case "foreign":
      return [
        error(`"${path}" is the database of another program`, "set store.url to another file"),
      ];
    case "newer":
      return [error(
        `"${path}" has format ${look.format}, which this version does not know`,
        "install the newer jobctl that wrote it",
      )];
    case "damaged":
      return [error(
        `"${path}" is damaged: ${look.why}`,
        `jobctl store backup saved.jsonl --salvage${configOption}, then jobctl store restore`,
      )];
    case "refused":
      return [error(`the next start will fail: ${look.why}`, look.remedy)];
    case "whole": {
      const size = `${(look.bytes / 2 ** 20).toFixed(1)} MiB`;
      const checked = look.isChecked ? "whole" : `too large to check now: ${verify}`;
      return [ok(`"${path}" is closed, format ${look.format}, ${size}, ${checked}`)];
    }
  }
}

function checkServer({ host, port, reached, isRight }: ServerFacts, url: string): Finding[] {
  const { ok, warning, error } = findingsOf("store");
  const at = hostPort(host, port);
  const probe = `nc -vz ${shellWord(host)} ${port}`;
  if (reached.type === "private") return [];
  if (reached.type === "failed") return [error(`cannot reach ${at}: ${reached.why}`, probe)];
  if (!isRight) {
    return [error(`${at} is not a server of ${url}`, "set store.url to the right port")];
  }
  const ms = Math.round(reached.ms);
  if (reached.ms >= SLOW_MS) {
    return [warning(`${at} took ${ms} ms to answer`, `ping -c 5 ${shellWord(host)}`)];
  }
  return [ok(`${at} answers in ${ms} ms`)];
}
