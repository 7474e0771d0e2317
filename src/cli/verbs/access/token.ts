import { Buffer } from "node:buffer";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { isKindPattern, PATTERN_WANTED, PATTERNS_MAX } from "../../../core/job/job_scope.ts";
import { JobError } from "../../../core/errors.ts";
import { didYouMean } from "../../../core/text/nearest.ts";
import { systemRandom } from "../../../platform/random.ts";
import {
  changeTokensFile,
  hashToken,
  isTokenName,
  readTokensFile,
  ROLES,
  type StoredToken,
  TOKEN_NAME_WANTED,
} from "../../../platform/files/tokens_file.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import { CONFIG_OPTION, configFileOf, serviceConfigFile } from "../../parsing/config_file.ts";
import { confirm } from "../../lookup/confirm.ts";
import type { CliIo } from "../../io/io.ts";
import type { Verb, VerbGroup } from "../../verb/verb.ts";
import { FIELDS_OPTION, type OptionSpecs } from "../../parsing/options.ts";
import { membersOf, recordOf, type RecordView } from "../../output/view.ts";
import { formatAbsolute, isoText } from "../../output/when.ts";

const TOKEN_VIEW: RecordView<StoredToken> = {
  name: (token) => token.name,
  // Never with its hash.
  fields: {
    ...membersOf<StoredToken>("name", "role", "jobs"),
    created_at: ({ createdAt }) => isoText(createdAt),
    expires_at: ({ expiresAt }) => isoText(expiresAt),
  },
  columns: [
    { title: "NAME", weight: 9, least: 12, cell: (token) => token.name },
    { title: "ROLE", weight: 8, cell: (token) => token.role },
    { title: "JOBS", least: 12, cell: (token) => token.jobs?.join(" ") ?? "all" },
    {
      title: "EXPIRES",
      weight: 7,
      cell: ({ expiresAt }, { nowMs }) => {
        if (expiresAt === null) return "never";
        const time = formatAbsolute(expiresAt);
        return expiresAt > nowMs ? time : { text: `expired ${time}`, style: "bad" };
      },
    },
    { title: "CREATED", isWide: true, cell: ({ createdAt }) => formatAbsolute(createdAt) },
  ],
};

const TOKEN_BYTES = 32;
/** Lets secret scanners recognize a token. */
const PREFIX = "jobctl_";

const FILE_OPTIONS: OptionSpecs = {
  config: CONFIG_OPTION,
  "tokens-file": {
    value: "FILE",
    describe: "Tokens file (default: server.auth.tokens_file)",
    offers: "file",
  },
};
const NAME = { name: "NAME", describe: "Name of the token, for messages and lists" };
const OFFLINE =
  "Changes the tokens file, without a daemon. A running daemon picks up the change on its own.";

/** The tokens file, and the names already used by tokens of the configuration. */
async function placeOf(
  args: Args,
  io: CliIo,
): Promise<{ readonly path: string; readonly taken: readonly string[] }> {
  const named = args.text("tokens-file");
  if (named !== undefined) return { path: resolve(io.cwd, named), taken: [] };
  const { loadConfig } = await import("../../../config/load_config.ts");
  const file = configFileOf(args, io.cwd);
  const { config } = await loadConfig(file, { env: io.env, cwd: io.cwd });
  const { tokensFile, tokens } = config.server.auth;
  const isNamed = file !== null || io.env["JOBCTL_SERVER_AUTH_TOKENS_FILE"] !== undefined;
  // In an arbitrary folder no daemon would read the new file.
  if (!isNamed && !existsSync(tokensFile)) {
    throw usageError(
      `Cannot find the tokens file: there is no config.toml in "${io.cwd}"`,
      `Name the daemon's configuration with --config ${
        serviceConfigFile() ?? "FILE"
      }, or its tokens file with --tokens-file`,
    );
  }
  return { path: tokensFile, taken: tokens.map(({ name }) => name) };
}

function readName(args: Args): string {
  const name = args.word("NAME");
  if (isTokenName(name)) return name;
  throw usageError(`Cannot name a token "${name}": wanted ${TOKEN_NAME_WANTED}`, "Choose another");
}

function readJobs(args: Args): readonly string[] | null {
  const jobs = args.list("jobs");
  const wrong = jobs.find((pattern) => !isKindPattern(pattern));
  if (wrong !== undefined) {
    throw usageError(
      `Cannot read --jobs "${wrong}": wanted ${PATTERN_WANTED}`,
      'Write --jobs "shop-*,report"',
    );
  }
  if (jobs.length > PATTERNS_MAX) {
    throw usageError(
      `Cannot use ${jobs.length} jobs: at most ${PATTERNS_MAX}`,
      'Use patterns such as "shop-*"',
    );
  }
  return jobs.length === 0 ? null : jobs;
}

function readRole(args: Args): StoredToken["role"] {
  const given = args.text("role");
  const role = ROLES.find((each) => each === given);
  if (role !== undefined) return role;
  throw usageError("Cannot create a token without a role", `Add --role: ${ROLES.join(", ")}`);
}

const NEW: Verb = {
  name: "new",
  summary: "Create a token and show it once",
  details: [
    "Only its hash is stored, so it cannot be shown again.",
    "With --jobs it is limited to these jobs. All others, with their instances and schedules, are invisible to it.",
    OFFLINE,
  ].join(" "),
  words: [NAME],
  options: {
    ...FILE_OPTIONS,
    role: {
      value: "ROLE",
      describe: "viewer may look, operator may also run, cancel and pause, admin may do everything",
      choices: ROLES,
    },
    jobs: {
      value: "KINDS",
      describe: 'Job kinds that it is limited to, separated by commas; "*" matches any characters',
    },
    expires: { value: "TIME", describe: 'When it expires: "90d", "2027-01-31" (default: never)' },
  },
  examples: [
    ["jobctl token new ci --role operator --jobs 'shop-*' --expires 90d", "For a CI pipeline"],
    [
      "(umask 077; jobctl token new wallboard --role viewer -o name > token)",
      "Keep only the token, in a private file",
    ],
  ],
  isOffline: true,
  async run(args, { io, printer }) {
    const name = readName(args);
    const role = readRole(args);
    const jobs = readJobs(args);
    const expiresAt = args.timeMs("expires", "future") ?? null;
    const nowMs = io.clock.now().wallMs;
    if (expiresAt !== null && expiresAt <= nowMs) {
      const shown = new Date(expiresAt).toISOString();
      throw usageError(
        `Cannot create a token that expires at ${shown}: that is in the past`,
        "Give a later time",
      );
    }
    const { path, taken } = await placeOf(args, io);
    const token = PREFIX + Buffer.from(systemRandom.bytes(TOKEN_BYTES)).toString("base64url");
    const entry = { name, role, jobs, expiresAt, createdAt: nowMs, hash: hashToken(token) };
    changeTokensFile(path, {
      nowMs,
      change: (tokens) => {
        if (taken.includes(name) || tokens.some((each) => each.name === name)) {
          throw new JobError(
            "already_exists",
            `Cannot create the token "${name}": it already exists`,
            { hint: `Choose another name, or revoke it first: jobctl token revoke ${name}` },
          );
        }
        return [...tokens, entry];
      },
    });
    await printer.details({ ...recordOf(TOKEN_VIEW, entry), token }, token, [token]);
    await printer.note(`Store it now: it is not shown again. Its hash is in ${path}`);
  },
};

const LIST: Verb = {
  name: "list",
  summary: "List the tokens created with token new, without their values",
  details: "Tokens of the configuration are not listed. Reads the tokens file, without a daemon.",
  options: { ...FILE_OPTIONS, ...FIELDS_OPTION },
  examples: [["jobctl token list", "Names, roles, jobs, and when they expire"]],
  isOffline: true,
  async run(args, { io, printer }) {
    const { path } = await placeOf(args, io);
    await printer.list(TOKEN_VIEW, readTokensFile(path), `No tokens in ${path}`);
  },
};

const REVOKE: Verb = {
  name: "revoke",
  summary: "Revoke a token: it stops working within two seconds, and its connections are closed",
  details: OFFLINE,
  words: [NAME],
  options: { ...FILE_OPTIONS, yes: { alias: "y", describe: "Do not ask", isFlag: true } },
  examples: [[
    "jobctl token revoke ci --yes",
    "To replace a token without a gap, create the new one first",
  ]],
  isOffline: true,
  async run(args, { io, printer }) {
    const name = readName(args);
    const { path } = await placeOf(args, io);
    const find = (tokens: readonly StoredToken[]): StoredToken => {
      const found = tokens.find((each) => each.name === name);
      if (found) return found;
      throw new JobError("not_found", `Cannot revoke the token "${name}": it is not in ${path}`, {
        hint: didYouMean(name, tokens.map((each) => each.name)) ??
          "List them with: jobctl token list",
      });
    };
    const revoked = find(readTokensFile(path));
    await confirm(io, `revoke the token "${name}"`, args.flag("yes"));
    changeTokensFile(path, {
      nowMs: io.clock.now().wallMs,
      change: (tokens) => {
        find(tokens);
        return tokens.filter((each) => each.name !== name);
      },
    });
    await printer.details(recordOf(TOKEN_VIEW, revoked), name, [`Revoked the token "${name}"`]);
  },
};

/** `jobctl token …` */
export const TOKEN: VerbGroup = {
  name: "token",
  summary: "Create, list and revoke access tokens",
  verbs: [NEW, LIST, REVOKE],
};
