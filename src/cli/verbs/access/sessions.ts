import { countText } from "../../../core/text/count_text.ts";
import { confirm } from "../../lookup/confirm.ts";
import { usageError } from "../../parsing/args.ts";
import { FIELDS_OPTION } from "../../parsing/options.ts";
import type { Verb, VerbGroup } from "../../verb/verb.ts";
import type { Session } from "../../../rpc/gen/job_pb.ts";
import type { MessageView } from "../../output/view.ts";
import { shortTime } from "../../views/instance_view.ts";

/** Digits of an id in a table: enough to tell a thousand sessions apart. */
const ID_DIGITS = 12;

const SESSION_VIEW: MessageView<Session> = {
  message: "Session",
  name: (session) => session.id,
  columns: [
    { title: "ID", weight: 9, cell: ({ id }) => id.slice(0, ID_DIGITS) },
    { title: "NAME", weight: 8, least: 12, cell: ({ name }) => name },
    { title: "ROLE", weight: 7, cell: ({ role }) => role },
    { title: "JOBS", isWide: true, cell: ({ jobs }) => jobs.join(" ") || "all" },
    { title: "SINCE", weight: 3, cell: ({ createdAt }, at) => shortTime(createdAt, at) },
    { title: "LAST USED", weight: 6, cell: ({ usedAt }, at) => shortTime(usedAt, at) },
    { title: "ADDRESS", cell: ({ address }) => address },
    { title: "UNTIL", weight: 4, cell: ({ expiresAt }, at) => shortTime(expiresAt, at) },
  ],
};

const LIST: Verb = {
  name: "list",
  summary: "List the sessions of browsers",
  details: [
    "A session begins with jobctl open, or with a login by token, and lasts at most 12 hours. It",
    "ends with the token. An admin sees the sessions of everybody, others their own. The time of",
    "the last use is exact to a minute.",
  ].join(" "),
  options: FIELDS_OPTION,
  examples: [["jobctl sessions", "Who is logged in, from where, until when"]],
  async run(_args, { client, printer }) {
    const { sessions } = await (await client()).listSessions({});
    await printer.list(SESSION_VIEW, sessions, "No sessions of the dashboard");
  },
};

const REVOKE: Verb = {
  name: "revoke",
  summary: "End a session, or all of them: within two seconds, its open pages are logged out",
  words: [{
    name: "ID",
    describe: "Id of the session, or its first digits",
    offers: "session",
    isOptional: true,
  }],
  options: {
    all: { describe: "All sessions that jobctl sessions lists", isFlag: true },
    yes: { alias: "y", describe: "Do not ask", isFlag: true },
  },
  examples: [
    ["jobctl sessions revoke 3f9a01c2", "One session"],
    ["jobctl sessions revoke --all --yes", "Log out every browser"],
  ],
  async run(args, { client, io, printer }) {
    const [id] = args.words("ID");
    const all = args.flag("all");
    if (all === (id !== undefined)) {
      throw usageError(
        all
          ? "Cannot use --all with an id: they exclude each other"
          : "Cannot end a session: ID is missing",
        all ? "Keep one of them" : "Name a session of jobctl sessions, or add --all",
      );
    }
    const connection = await client();
    if (all) {
      const { sessions } = await connection.listSessions({});
      await confirm(io, `end ${countText(sessions.length, "session")}`, args.flag("yes"));
    }
    const { sessions } = await connection.revokeSessions({ id, all });
    await printer.list(SESSION_VIEW, sessions);
    await printer.note(`Ended ${countText(sessions.length, "session")}`);
  },
};

/** `jobctl sessions …` */
export const SESSIONS: VerbGroup = {
  name: "sessions",
  summary: "List and end the sessions of browsers",
  verbs: [LIST, REVOKE],
  initial: LIST,
};
