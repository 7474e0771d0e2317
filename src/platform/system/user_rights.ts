import process from "node:process";
import { JobError, messageOf } from "../../core/errors.ts";

/** A user and its group, by number. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Run `action` with a user's file permissions, then restore root's. Must not overlap with other
 * file access in this process.
 *
 * @param user null to keep the current rights
 * @throws JobError `permission_denied` where root cannot drop its rights, as under Deno; any error
 * of `action`
 */
export function withRightsOf(user: User | null, action: () => void): void {
  if (user === null) return action();
  const { seteuid, setegid, setgroups, getgroups } = process;
  if (!seteuid || !setegid || !setgroups || !getgroups) {
    throw refusal(user, "this runtime cannot change the user");
  }
  const groups = getgroups();
  const takeBack = () => {
    seteuid(0);
    setegid(0);
    setgroups(groups);
  };
  try {
    setgroups([user.gid]);
    setegid(user.gid);
    seteuid(user.uid);
  } catch (error) {
    takeBack();
    throw refusal(user, messageOf(error));
  }
  try {
    action();
  } finally {
    takeBack();
  }
}

function refusal({ uid }: User, problem: string): JobError {
  return new JobError("permission_denied", `Cannot act as user ${uid}: ${problem}`, {
    hint: `Run it as that user: sudo -u "#${uid}" jobctl …`,
  });
}
