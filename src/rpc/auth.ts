import { createHash, timingSafeEqual } from "node:crypto";
import { JobError } from "../core/errors.ts";
import type { Clock, Timer } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import { TOKEN_LENGTH_MAX } from "./limits.ts";
import type { MethodName } from "./handlers.ts";

/** What a caller may do, the least first: look; run and cancel too; change schedules, workers and the store too. */
export const ROLES = ["viewer", "operator", "admin"] as const;

/** One of {@link ROLES}. */
export type Role = typeof ROLES[number];

/** A token that is accepted. */
export interface Token {
  /** Stands for it in messages. */
  readonly name: string;
  readonly token: string;
  readonly role: Role;
}

/** The role that each method asks for; one of more includes those before. */
export const METHOD_ROLE: Readonly<Record<MethodName, Role>> = {
  getVersion: "viewer",
  listRegisteredJobs: "viewer",
  getJob: "viewer",
  lookupInstances: "viewer",
  getInstance: "viewer",
  waitInstance: "viewer",
  lookupInstanceHistory: "viewer",
  lookupInstanceLogs: "viewer",
  follow: "viewer",
  listSchedules: "viewer",
  getWorkers: "viewer",
  getStatus: "viewer",
  listNodes: "viewer",
  scheduleJob: "operator",
  scheduleJobs: "operator",
  cancelInstances: "operator",
  retryInstance: "operator",
  redriveInstances: "operator",
  resizeWorkers: "admin",
  reloadConfig: "admin",
  explain: "viewer",
  listPauses: "viewer",
  runSchedule: "operator",
  skipTicks: "operator",
  backfill: "operator",
  pause: "operator",
  resume: "operator",
  updateSchedule: "admin",
  deleteSchedule: "admin",
  workOnStore: "admin",
};

const RANK: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 };
/** Shortest time between two lines of the log about failed authentication. */
const LOG_INTERVAL_MS = 1_000;

interface KnownToken {
  readonly name: string;
  readonly role: Role;
  readonly digest: Uint8Array;
}

function digestOf(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** Logs failures at most once a second, with how many there were. */
class FailureLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #count = 0;
  #reason = "";
  #timer: Timer | null = null;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  add(reason: string): void {
    this.#count += 1;
    this.#reason = reason;
    if (!this.#timer) this.#flush();
  }

  #flush(): void {
    this.#timer = null;
    if (this.#count === 0) return;
    this.#logger.warn("refused calls without valid authentication", {
      count: this.#count,
      reason: this.#reason,
    });
    this.#count = 0;
    this.#timer = this.#clock.timer(LOG_INTERVAL_MS, () => this.#flush(), { unref: true });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}

/** Decides by its `authorization` header whether a call may be made. */
export interface Authenticator {
  /** Null when the caller may call the method, else why not. */
  check(method: MethodName, authorization: string | undefined): JobError | null;
  stop(): void;
}

/**
 * Authentication by bearer token. Tokens are compared by their digests and all of them, so that the time says nothing about
 * how much of a token was right.
 */
export function createTokenAuthenticator(
  options: {
    readonly tokens: readonly Token[];
    readonly clock: Clock;
    readonly logger: Logger;
  },
): Authenticator {
  const known: readonly KnownToken[] = options.tokens.map(({ name, role, token }) => ({
    name,
    role,
    digest: digestOf(token),
  }));
  const failures = new FailureLog(options.clock, options.logger);
  const refuse = (problem: string) => {
    failures.add(problem);
    return new JobError("unauthenticated", `Cannot authenticate: ${problem}`, {
      hint: "Send the token of the daemon's token file, or one of server.auth.tokens, " +
        'as the header "authorization: Bearer TOKEN"; jobctl: --token-file FILE or JOBCTL_TOKEN',
    });
  };
  return {
    check(method, authorization) {
      if (authorization === undefined || authorization === "") return refuse("no token was sent");
      if (authorization.length > TOKEN_LENGTH_MAX) return refuse("the token is too long");
      const token = /^bearer +(\S+)$/i.exec(authorization)?.[1];
      if (token === undefined) return refuse('the header "authorization" has no Bearer token');
      const caller = find(known, token);
      return caller ? allow(caller, method) : refuse("the token is wrong");
    },
    stop: () => failures.stop(),
  };
}

/**
 * The rule of a listener whose callers were told apart when they connected, and all have one role.
 *
 * @param name stands for them in messages
 * @returns null where they may call every method
 */
export function createRoleAuthenticator(name: string, role: Role): Authenticator | null {
  if (role === "admin") return null;
  return { check: (method) => allow({ name, role }, method), stop: () => {} };
}

function find(known: readonly KnownToken[], token: string): KnownToken | null {
  const digest = digestOf(token);
  let found: KnownToken | null = null;
  for (const candidate of known) {
    if (timingSafeEqual(candidate.digest, digest)) found = candidate;
  }
  return found;
}

function allow(
  caller: Pick<KnownToken, "name" | "role">,
  method: MethodName,
): JobError | null {
  const needed = METHOD_ROLE[method];
  if (RANK[caller.role] >= RANK[needed]) return null;
  return new JobError(
    "permission_denied",
    `Cannot call ${method} as "${caller.name}": its role is ${caller.role}, ` +
      `${needed} is needed`,
    { hint: `Use a token with the role ${needed}: --token-file FILE, and --socket none` },
  );
}
