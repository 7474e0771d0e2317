import { lookup } from "node:dns/promises";
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { bareHost } from "../../core/address.ts";
import { errorCode, toJobError } from "../../core/errors.ts";
import type { ConfigProblem } from "../../core/config_problem.ts";
import type { ChannelSettings, SyslogTarget } from "../../core/notices/settings.ts";
import { isIpAddress, isPublicAddress } from "../../core/public_address.ts";
import { inTime, systemClock } from "../../platform/clock.ts";
import { trustProblem } from "../../platform/files/trusted_path.ts";
import { loadCa } from "../../platform/network/tls.ts";
import { problemAt } from "../values/problems.ts";

/** Where programs of channels are looked for. */
const PATH = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/** Longest wait for the address of a host, in milliseconds. */
const LOOKUP_MS_MAX = 5_000;
/** Places that `to = "syslog"` writes to without an address. */
const LOGS = ["/dev/log", "/run/systemd/journal/socket"];

/** The result of {@link checkChannels}. */
export interface ChannelsCheck {
  /** Each prevents a channel from delivering. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/** A problem of a key of one channel. */
type Report = (key: string, message: string, hint?: string) => void;

/** Collects what prevents one channel from delivering. */
interface ChannelCheck {
  readonly problem: Report;
  readonly warning: Report;
  readonly nowMs: number;
}

/**
 * Look for the programs and files that channels use, and look up their hosts. A host that is not
 * found is only a warning: the check may run where the network is another one.
 */
export async function checkChannels(
  channels: readonly ChannelSettings[],
  nowMs: number,
): Promise<ChannelsCheck> {
  const problems: ConfigProblem[] = [];
  const warnings: ConfigProblem[] = [];
  await Promise.all(channels.map(async (channel) => {
    const reportTo = (list: ConfigProblem[]): Report => (key, message, hint) => {
      list.push(problemAt(null, `notices.${channel.name}.${key}`, message, hint));
    };
    await checkChannel(channel, {
      problem: reportTo(problems),
      warning: reportTo(warnings),
      nowMs,
    });
  }));
  return { problems, warnings };
}

async function checkChannel({ target }: ChannelSettings, check: ChannelCheck): Promise<void> {
  switch (target.to) {
    case "mail": {
      const { transport } = target;
      if (transport.type === "sendmail") return checkProgram(transport.path, "sendmail", check);
      await checkAuthority(transport.caFile, check);
      await checkHost(transport.host, { key: "smtp", isPublic: false }, check);
      return;
    }
    case "webhook": {
      const isPublic = !target.allowPrivate;
      await checkAuthority(target.caFile, check);
      await checkHost(bareHost(new URL(target.url).hostname), { key: "url", isPublic }, check);
      return;
    }
    case "exec":
      return checkProgram(target.command[0]!, "command", check);
    case "syslog":
      await checkLog(target, check);
  }
}

function checkProgram(program: string, key: string, { problem, warning }: ChannelCheck): void {
  const places = program.includes("/") ? [program] : PATH.map((folder) => join(folder, program));
  const found = places.find((place) => existsSync(place));
  if (found === undefined) {
    const isPath = program.includes("/");
    const where = isPath ? "" : ` in ${PATH.join(", ")}`;
    const hint = key === "sendmail"
      ? 'Install one, such as postfix or msmtp-mta, or name a mail server: smtp = "smtps://…"'
      : isPath
      ? undefined
      : "Name it by its absolute path";
    return problem(key, `no program "${program}" was found${where}`, hint);
  }
  try {
    accessSync(found, constants.X_OK);
    if (!statSync(found).isFile()) return problem(key, `"${found}" is not a file`);
  } catch (error) {
    return problem(
      key,
      `cannot run "${found}": ${
        errorCode(error) === "EACCES" ? "it is not executable" : errorCode(error)
      }`,
    );
  }
  const distrust = trustProblem(found);
  if (distrust === null) return;
  (distrust.isFatal ? problem : warning)(key, distrust.message, distrust.hint);
}

async function checkAuthority(file: string | null, check: ChannelCheck): Promise<void> {
  if (file === null) return;
  try {
    await loadCa(file, check.nowMs);
  } catch (error) {
    const { message, hint } = toJobError(error, "Cannot read it");
    check.problem("ca", message, hint);
  }
}

async function checkHost(
  host: string,
  { key, isPublic }: { readonly key: string; readonly isPublic: boolean },
  { warning }: ChannelCheck,
): Promise<void> {
  if (isIpAddress(host)) return;
  const addresses = await addressesOf(host);
  if (typeof addresses === "string") {
    return warning(key, `the host ${host} was not found: ${addresses}`, "Check its spelling");
  }
  if (!isPublic || addresses.some(isPublicAddress)) return;
  const found = `${host} has the address ${addresses.join(", ")}, which is not public`;
  warning(key, `${found}, so nothing is sent there`, "To allow it, set allow_private = true");
}

/** The addresses of a host, or why there are none. */
async function addressesOf(host: string): Promise<readonly string[] | string> {
  const found = lookup(host, { all: true }).then(
    (list) => list.map(({ address }) => address),
    (error: unknown) =>
      errorCode(error) === "ENOTFOUND" ? "DNS has no such name" : `${errorCode(error)}`,
  );
  const late = () => "the name server does not respond";
  return await inTime<readonly string[] | string>(found, LOOKUP_MS_MAX, {
    clock: systemClock,
    late,
  });
}

async function checkLog({ address }: SyslogTarget, check: ChannelCheck): Promise<void> {
  if ("host" in address) {
    return await checkHost(address.host, { key: "address", isPublic: false }, check);
  }
  checkProgram("logger", "to", check);
  const places = address.type === "socket" ? [address.path] : LOGS;
  if (places.some((place) => existsSync(place))) return;
  check.warning("address", `no log was found at ${places.join(" or ")}`, "Start the log daemon");
}
