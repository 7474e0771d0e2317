import { lookup } from "node:dns/promises";
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { errorCode, toJobError } from "../../core/errors.ts";
import type { ConfigProblem } from "../../core/config_problem.ts";
import type { ChannelSettings } from "../../core/notices/settings.ts";
import { isIpAddress, isPublicAddress } from "../../core/public_address.ts";
import { inTime, systemClock } from "../../platform/clock.ts";
import { trustProblem } from "../../platform/files/trusted_path.ts";
import { loadCa } from "../../platform/network/tls.ts";
import { problemAt } from "../values/problems.ts";
import type { ChannelUses, NoticeServer } from "./channel_type.ts";
import { CHANNEL_TYPES } from "./notice_keys.ts";

/** Folders in which programs of channels are looked for. */
const PATH = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/** Longest wait for the address of a host, in milliseconds. */
const LOOKUP_MS_MAX = 5_000;

/** The result of {@link checkChannels}. */
export interface ChannelsCheck {
  /** Each prevents a channel from delivering. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

type Report = (key: string, message: string, hint?: string) => void;

/** Collects what prevents one channel from delivering. */
interface ChannelCheck {
  readonly problem: Report;
  readonly warning: Report;
  readonly nowMs: number;
}

/**
 * Look for the programs and files that channels use, and look up their hosts. An unknown host is
 * only a warning: the check may run in another network.
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
  const { program, server, logs } = CHANNEL_TYPES[target.to]!.uses(target);
  if (server !== undefined) {
    await checkAuthority(server.caFile, check);
    await checkHost(server, check);
  }
  if (program !== undefined) checkProgram(program, check);
  if (logs === undefined || logs.paths.some((path) => existsSync(path))) return;
  const message = `no log was found at ${logs.paths.join(" or ")}`;
  check.warning(logs.key, message, "Start the log daemon");
}

function checkProgram(
  { key, path, hint }: NonNullable<ChannelUses["program"]>,
  { problem, warning }: ChannelCheck,
): void {
  const isPath = path.includes("/");
  const places = isPath ? [path] : PATH.map((folder) => join(folder, path));
  const found = places.find((place) => existsSync(place));
  if (found === undefined) {
    const where = isPath ? "" : ` in ${PATH.join(", ")}`;
    const remedy = hint ?? (isPath ? undefined : "Name it by its absolute path");
    return problem(key, `no program "${path}" was found${where}`, remedy);
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
  { key, host, isPublic }: NoticeServer,
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

/** The addresses of a host, or why they are unknown. */
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
