import { JobError } from "../../core/errors.ts";
import type { ManagerApi } from "../../manager/api.ts";
import type { Session, SessionHolder } from "../../manager/sessions/session.ts";
import type { SessionSchema } from "../gen/job_pb.ts";
import { readProof } from "../auth/credentials.ts";
import { refuse, textOf } from "../messages/requests.ts";
import type { WireRecord } from "../messages/wire_record.ts";
import type { CallerInfo } from "../backend.ts";
import type { Handlers } from "./handler.ts";

/** The first digits of an id, or all of them. */
const ID_PREFIX = /^[0-9a-f]{4,64}$/;

const UID_MAX = 2 ** 32 - 2;

/** Handlers of the methods about the sessions of browsers. */
export function sessionHandlers({ sessions }: ManagerApi) {
  return {
    async createLoginCode({ uid }, { caller }) {
      // Otherwise a thief of a session could prolong it without end.
      if (caller.session !== undefined) {
        throw new JobError(
          "permission_denied",
          "Cannot create a code for a session with another session",
          { hint: "Use jobctl open, or log in with a token" },
        );
      }
      const holder = holderOf(caller);
      const { url, ...code } = await sessions.createCode(holder, userOf(caller, uid));
      return { ...code, url: url ?? undefined };
    },
    getCaller(_, { caller }) {
      const { name, role, jobs } = holderOf(caller);
      const { id: sessionId, expiresAt } = caller.session ?? {};
      return { name, role, jobs: [...jobs ?? []], sessionId, expiresAt };
    },
    async listSessions(_, { caller }) {
      const found = await sessions.list(proofOf(caller));
      return { sessions: found.map((session) => sessionToWire(session, caller)) };
    },
    async revokeSessions({ id, all }, { caller }) {
      const prefix = textOf(id)?.toLowerCase();
      if (all === (prefix !== undefined)) {
        throw all
          ? refuse("all", 'it cannot be combined with "id"', "Set only one of them")
          : refuse("id", "it is empty, wanted an id", "Set all = true to mean all of them");
      }
      if (prefix !== undefined && !ID_PREFIX.test(prefix)) {
        throw refuse("id", `found "${prefix}", wanted 4 to 64 hexadecimal digits`);
      }
      const ended = await sessions.revoke(prefix ?? null, proofOf(caller));
      return { sessions: ended.map((session) => sessionToWire(session, caller)) };
    },
  } satisfies Partial<Handlers>;
}

function holderOf({ holder }: CallerInfo): SessionHolder {
  if (holder) return holder;
  throw new JobError("unauthenticated", "Cannot use sessions: the caller is unknown");
}

/** The user of this machine whom a code is for; null for anyone. */
function userOf(caller: CallerInfo, uid: bigint | undefined): number | null {
  const known = readProof(holderOf(caller).proof);
  const own = known !== null && "uid" in known ? known.uid : null;
  const wanted = uid === undefined ? own : Number(uid);
  if (wanted === own) return own;
  if (wanted === null || wanted < 0 || wanted > UID_MAX) {
    throw refuse("uid", `found ${wanted}, wanted 0 to ${UID_MAX}`);
  }
  if (caller.isAdmin) return wanted;
  throw new JobError(
    "permission_denied",
    `Cannot create a code for user ${wanted}: only an admin may create one for another user`,
    { hint: "Create it as that user, or as an admin of all jobs", path: "uid" },
  );
}

/** Sessions with this proof are the caller's; null for an admin, who owns all. */
function proofOf(caller: CallerInfo): string | null {
  return caller.isAdmin ? null : holderOf(caller).proof;
}

function sessionToWire(
  { proof: _proof, ...session }: Session,
  { session: current }: CallerInfo,
): WireRecord<typeof SessionSchema> {
  const jobs = [...session.jobs ?? []];
  return { ...session, jobs, isCurrent: session.id === current?.id };
}
