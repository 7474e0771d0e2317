import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { JobError } from "../core/errors.ts";

/** Whose rights and home a command gets. */
export interface Account {
  readonly name: string;
  readonly home: string;
  /** Set only when it differs from ours. */
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * The account that a command runs under: `user` (by name or number) with its own group, unless `group` names another.
 *
 * @throws JobError `invalid_argument` for an unknown name; `permission_denied` when it is not ours and we are not root
 */
export function resolveAccount(user: string | null, group: string | null): Account {
  const own = userInfo();
  const found = user === null
    ? { name: own.username, home: own.homedir, uid: own.uid, gid: own.gid }
    : findUser(user);
  const gid = group === null ? found.gid : findGroup(group);
  if (found.uid === own.uid && gid === own.gid) return { name: found.name, home: found.home };
  if (own.uid !== 0) {
    const wanted = group === null ? `user "${user}"` : `user "${found.name}" and group "${group}"`;
    throw new JobError(
      "permission_denied",
      `Cannot run the command as ${wanted}: the daemon runs as "${own.username}", not as root`,
      { hint: 'Leave out "user" and "group", or run the daemon as root' },
    );
  }
  return { name: found.name, home: found.home, uid: found.uid, gid };
}

function findUser(user: string): { name: string; home: string; uid: number; gid: number } {
  for (const fields of readTable("/etc/passwd")) {
    const [name, , uid, gid, , home] = fields;
    if (name !== user && uid !== user) continue;
    return { name: name!, home: home || "/", uid: Number(uid), gid: Number(gid) };
  }
  throw new JobError("invalid_argument", `Cannot run the command as user "${user}": no such user`, {
    hint: 'Name a user of /etc/passwd in "user"',
  });
}

function findGroup(group: string): number {
  for (const [name, , gid] of readTable("/etc/group")) {
    if (name === group || gid === group) return Number(gid);
  }
  throw new JobError(
    "invalid_argument",
    `Cannot run the command as group "${group}": no such group`,
    {
      hint: 'Name a group of /etc/group in "group"',
    },
  );
}

function readTable(path: string): string[][] {
  return readFileSync(path, "utf8").split("\n").filter((line) => line.includes(":"))
    .map((line) => line.split(":"));
}
