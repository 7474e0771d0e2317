import { realpathSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import type { ConfigProblem } from "../../core/config_problem.ts";
import { type ChannelSettings, isMail } from "../../core/notices/settings.ts";
import { problemAt } from "../values/problems.ts";

/** Programs that the `sendmail` of Postfix and of nullmailer starts to queue a mail. */
const QUEUE_PROGRAMS = ["usr/sbin/postdrop", "usr/sbin/nullmailer-queue"];
const SETUID_OR_SETGID = 0o6000;
/** Its group only lets it read its configuration; it has no queue. */
const WITHOUT_QUEUE = "msmtp";

/**
 * The channels whose `sendmail` cannot work under a unit that forbids setuid programs.
 *
 * @param root a folder in place of `/`
 */
export function localMailProblems(
  channels: readonly ChannelSettings[],
  unit: string,
  root: string = "/",
): ConfigProblem[] {
  return channels.flatMap(({ name, target }) => {
    if (!isMail(target) || target.transport.type !== "sendmail") return [];
    const { path } = target.transport;
    if (!needsSetuid(path, root)) return [];
    return problemAt(
      null,
      `notices.${name}.sendmail`,
      `${unit} keeps "${path}" from sending mail: it needs a setuid or setgid program`,
      'Name a mail server instead: smtp = "smtps://USER@mail.example.org"',
    );
  });
}

function needsSetuid(path: string, root: string): boolean {
  try {
    const program = realpathSync(join(root, path));
    if (basename(program) === WITHOUT_QUEUE) return false;
    return hasRights(program) || QUEUE_PROGRAMS.some((each) => hasRights(join(root, each)));
  } catch {
    // The program is missing, which the check of the channels reports.
    return false;
  }
}

function hasRights(path: string): boolean {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & SETUID_OR_SETGID) !== 0;
}
