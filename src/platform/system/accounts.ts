import { readFileSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { JobError } from "../../core/errors.ts";
import { isWindows } from "./runtime.ts";

/** The account that gives a job its rights and home. */
export interface Account {
  readonly name: string;
  readonly home: string;
  /** Set only when it differs from ours. */
  readonly uid?: number;
  readonly gid?: number;
}

type User = Required<Account>;

/**
 * The account that a job runs under: `user` (name or number) with its own group, unless `group`
 * names another.
 *
 * @throws JobError `invalid_argument` for an unknown name; `permission_denied` if it is another
 *   user's account and we are not root
 */
export function resolveAccount(user: string | null, group: string | null): Account {
  const own = ownUser();
  const found = user === null ? own : findUser(user);
  const gid = group === null ? found.gid : findGroup(group);
  if (found.uid === own.uid && gid === own.gid) return { name: found.name, home: found.home };
  if (own.uid !== 0) {
    const wanted = group === null ? `user "${user}"` : `user "${found.name}" and group "${group}"`;
    throw new JobError(
      "permission_denied",
      `Cannot run as ${wanted}: the daemon runs as "${own.name}", not as root`,
      { hint: 'Leave out "user" and "group", or run the daemon as root' },
    );
  }
  return { name: found.name, home: found.home, uid: found.uid, gid };
}

/** True if this process has root's rights. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** A user's name in messages: `user "www-data" (33)`, or `user 1234` if the system has no entry. */
export function accountName(uid: number): string {
  const name = lookUp(String(uid), 2)?.name;
  return name === undefined ? `user ${uid}` : `user "${name}" (${uid})`;
}

/** True if the system has an account of this name. */
export function isAccount(name: string): boolean {
  return lookUp(name, 0) !== undefined;
}

/** The login shell of a user by name; null if the system names none. */
export function loginShell(name: string): string | null {
  const fields = readTable("/etc/passwd").find((each) => each[0] === name);
  return fields?.[6] || null;
}

/** The name of a user, or its number if the system has no entry. */
export function userName(uid: number): string {
  return lookUp(String(uid), 2)?.name ?? String(uid);
}

/** True if a group is our own user's private group, without other members; never for root. */
export function isPrivateGroup(gid: number): boolean {
  const { name, uid, gid: own } = ownUser();
  if (uid === 0 || gid !== own) return false;
  const group = readTable("/etc/group").find((fields) => Number(fields[2]) === gid);
  if (group?.[0] !== name) return false;
  const members = group[3] ?? "";
  const others = readTable("/etc/passwd").some((fields) =>
    Number(fields[3]) === gid && Number(fields[2]) !== uid
  );
  return !others && (members === "" || members === name);
}

/** The id of a user by name or number; a number needs no account. @throws `invalid_argument` */
export function userId(user: string): number {
  const found = lookUp(user, 0);
  if (found) return found.uid;
  const uid = /^\d{1,10}$/.test(user) ? Number(user) : NaN;
  if (uid < 2 ** 32 - 1) return uid;
  throw new JobError("invalid_argument", `Cannot look up the user "${user}": no such user`, {
    hint: "Use a name in /etc/passwd, or a number",
  });
}

/**
 * The user that this process runs as: by the system's table, not its environment. Windows numbers
 * no users; there everybody is 0.
 */
function ownUser(): User {
  if (isWindows()) {
    const { username, homedir } = userInfo();
    return { name: username, home: homedir, uid: 0, gid: 0 };
  }
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  const found = lookUp(String(uid), 2);
  return { name: found?.name ?? String(uid), home: found?.home ?? "/", uid, gid };
}

function findUser(user: string): User {
  const found = lookUp(user, 0) ?? lookUp(user, 2);
  if (found) return found;
  throw new JobError("invalid_argument", `Cannot run as user "${user}": no such user`, {
    hint: 'Name a user of /etc/passwd in "user"',
  });
}

function lookUp(text: string, column: 0 | 2): User | undefined {
  const fields = readTable("/etc/passwd").find((each) => each[column] === text);
  if (!fields) return undefined;
  const [name, , uid, gid, , home] = fields;
  return { name: name!, home: home || "/", uid: Number(uid), gid: Number(gid) };
}

/** The id of a group of the system's table, by name or number; null if it is missing. */
export function groupId(group: string): number | null {
  for (const [name, , gid] of readTable("/etc/group")) {
    if (name === group || gid === group) return Number(gid);
  }
  return null;
}

function findGroup(group: string): number {
  const found = groupId(group);
  if (found !== null) return found;
  throw new JobError("invalid_argument", `Cannot run as group "${group}": no such group`, {
    hint: 'Name a group of /etc/group in "group"',
  });
}

interface AccountTable {
  /** Changes with the file. */
  readonly stamp: string;
  readonly rows: readonly (readonly string[])[];
}

const tables = new Map<string, AccountTable>();

// Every job and every command asks for it: it is read again only when the file is another.
function readTable(path: string): AccountTable["rows"] {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    const stamp = `${ino} ${size} ${mtimeMs}`;
    const known = tables.get(path);
    if (known?.stamp === stamp) return known.rows;
    const rows = readFileSync(path, "utf8").split("\n").filter((line) => line.includes(":"))
      .map((line) => line.split(":"));
    tables.set(path, { stamp, rows });
    return rows;
  } catch {
    return [];
  }
}
