import { resolve } from "node:path";
import { isLoopback } from "../../../core/address.ts";
import { JobError } from "../../../core/errors.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import {
  changeContexts,
  CONTEXT_OPTIONS,
  contextNamed,
  contextsPath,
  type ContextValues,
  isContextName,
  readContexts,
} from "../../contexts/contexts_file.ts";
import { addressText, settingsOfContext } from "../../contexts/find_daemon.ts";
import { folderDaemon } from "../../contexts/folder_daemon.ts";
import type { CliIo } from "../../io/io.ts";
import type { RecordView } from "../../output/view.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import { CONNECTION_OPTIONS, type OptionSpecs, type WordSpec } from "../../parsing/options.ts";
import type { Verb, VerbContext, VerbGroup } from "../../verb/verb.ts";
import { fieldLines } from "../../views/details.ts";

/** A context as it is listed. */
interface NamedContext {
  readonly name: string;
  readonly values: ContextValues;
  readonly isCurrent: boolean;
}

const FILES = ["token-file", "tls-ca", "tls-cert", "tls-key"] as const;
const NAME: WordSpec = { name: "NAME", describe: "Name of the context", offers: "context" };

const VIEW: RecordView<NamedContext> = {
  name: ({ name }) => name,
  fields: {
    name: ({ name }) => name,
    address: addressOf,
    credentials: credentialsOf,
    is_current: ({ isCurrent }) => isCurrent,
  },
  columns: [
    { title: "CURRENT", cell: ({ isCurrent }) => isCurrent ? "*" : "" },
    { title: "NAME", weight: 9, cell: ({ name }) => name },
    { title: "ADDRESS", cell: addressOf },
    { title: "CREDENTIALS", cell: credentialsOf, least: 8 },
  ],
};

function addressOf({ values }: NamedContext): string {
  return addressText(settingsOfContext(values));
}

/** The caller's credentials for the daemon, without secrets. */
function credentialsOf({ values }: NamedContext): string {
  const parts = [
    ...(values.token === undefined ? [] : ["token"]),
    ...(values["token-file"] === undefined ? [] : [`token of ${values["token-file"]}`]),
    ...(values["tls-cert"] === undefined ? [] : [`certificate ${values["tls-cert"]}`]),
  ];
  return parts.length === 0 ? "none" : parts.join(", ");
}

const FORCE: OptionSpecs = { force: { describe: "Replace a context of this name", isFlag: true } };
const ADD_OPTIONS: OptionSpecs = {
  ...Object.fromEntries(CONTEXT_OPTIONS.map((name) => {
    const { env: _, ...spec } = CONNECTION_OPTIONS[name]!;
    return [name, spec];
  })),
  use: { describe: "Make it the current context", isFlag: true },
  ...FORCE,
};

const ADD: Verb = {
  name: "add",
  summary: "Save how a daemon is reached under a name",
  details: [
    "The file has mode 0600, as it can have a token. Better than --token is --token-file, which is",
    "read at each call. A token is only accepted with TLS, or for a daemon of this machine.",
  ].join(" "),
  words: [{ ...NAME, suggests: [] }],
  options: ADD_OPTIONS,
  examples: [
    [
      "jobctl context add prod --host jobs.example.com --tls --token-file ~/prod.token",
      "A daemon elsewhere",
    ],
    ["jobctl context add dev --port 59061 --use", "Another one of this machine"],
  ],
  isOffline: true,
  async run(args, { io, printer }) {
    const name = args.word("NAME");
    if (!isContextName(name)) {
      throw usageError(
        `Cannot add context "${makeVisible(name)}": not a name`,
        "Use letters, digits, dots, dashes and underscores, at most 64, the first a letter or digit",
      );
    }
    const values = readValues(args, io);
    checkValues(name, values);
    const path = neededPath(io);
    const { current } = await changeContexts(path, io.clock, (contexts) => {
      if (contexts.byName.has(name) && !args.flag("force")) {
        throw new JobError("already_exists", `Cannot add context "${name}": it already exists`, {
          hint: "Replace it with --force, or use another name",
        });
      }
      return {
        current: args.flag("use") ? name : contexts.current,
        byName: new Map([...contexts.byName, [name, values] as const]),
      };
    });
    await printer.one(VIEW, { name, values, isCurrent: current === name });
    if (current === name) await warnOfOthers(name, io);
    else await printer.note(`To use it: jobctl -x ${name} VERB, or jobctl context use ${name}`);
  },
};

/** The options of the line, with files by their absolute paths. */
function readValues(args: Args, { cwd }: CliIo): ContextValues {
  const values = CONTEXT_OPTIONS.flatMap((name): [string, string | true][] => {
    if (args.given([name]).length === 0) return [];
    if (CONNECTION_OPTIONS[name]!.isFlag) return [[name, true]];
    const text = args.text(name)!;
    const isPath = FILES.some((file) => file === name) || (name === "socket" && text !== "none");
    return [[name, isPath ? resolve(cwd, text) : text]];
  });
  if (values.length > 0) return Object.fromEntries(values);
  throw usageError("Cannot add a context without an address", "Add --host, --port or --socket");
}

function checkValues(name: string, values: ContextValues): void {
  const { host, token, tokenFile, tls } = settingsOfContext(values);
  const hasToken = token !== undefined || tokenFile !== undefined;
  if (!hasToken || tls || isLoopback(host ?? "")) return;
  throw usageError(
    `Cannot add context "${name}": a token is sent to another machine only over TLS`,
    "Add --tls or --tls-ca FILE",
  );
}

const LIST: Verb = {
  name: "list",
  summary: "List the saved daemons",
  examples: [["jobctl context list", "Which daemons have a name, and which is the current one"]],
  isOffline: true,
  async run(_args, { io, printer }) {
    const { current, byName } = await readContexts(neededPath(io));
    const items = [...byName].map(([name, values]) => ({
      name,
      values,
      isCurrent: name === current,
    }));
    await printer.list(VIEW, items, "No contexts yet: jobctl context add --help");
  },
};

const SHOW: Verb = {
  name: "show",
  summary: "Show a saved daemon, or which daemon a verb would ask here and what names it",
  words: [{ ...NAME, isOptional: true }],
  examples: [
    ["jobctl context show", "Which daemon is asked here, and why"],
    ["jobctl context show prod", "How this one is reached"],
  ],
  needsNoConnection: true,
  run(args, context) {
    const name = args.word("NAME");
    return name === "" ? showChosen(context) : showOne(name, context);
  },
};

async function showChosen({ daemon, printer }: VerbContext): Promise<void> {
  const { settings, source, passedOver } = await daemon();
  const address = addressText(settings);
  await printer.details(
    { address, named_by: source, passed_over: passedOver },
    address,
    fieldLines([
      ["Daemon", makeVisible(address)],
      ["Named by", makeVisible(source)],
      ["Not used", passedOver.map(makeVisible).join("\n")],
    ]),
  );
}

async function showOne(name: string, { io, printer }: VerbContext): Promise<void> {
  const contexts = await readContexts(neededPath(io));
  const values = contextNamed(contexts, name);
  const shown = Object.entries(values).map(([option, value]) => [
    option.replaceAll("-", "_"),
    option === "token" ? "hidden" : value,
  ]);
  const isCurrent = contexts.current === name;
  await printer.details(
    { name, ...Object.fromEntries(shown), is_current: isCurrent },
    name,
    fieldLines([
      ["Context", isCurrent ? `${name} (the current one)` : name],
      ...shown.map(([key, value]) =>
        [String(key).replaceAll("_", "-"), makeVisible(String(value))] as const
      ),
    ]),
  );
}

const USE: Verb = {
  name: "use",
  summary: "Make a saved daemon the current one, which verbs ask if nothing else names one",
  words: [{ ...NAME, isOptional: true }],
  options: { none: { describe: "Make none the current one", isFlag: true } },
  examples: [
    ["jobctl context use prod", "From now on"],
    ["jobctl context use --none", "The daemon of this machine again"],
  ],
  isOffline: true,
  async run(args, { io, printer }) {
    const name = args.word("NAME");
    if ((name === "") !== args.flag("none")) {
      throw usageError("Cannot tell which context to use", "Name one, or give --none alone");
    }
    const path = neededPath(io);
    const current = name === "" ? null : name;
    await changeContexts(path, io.clock, (contexts) => {
      if (current !== null) contextNamed(contexts, current);
      return { ...contexts, current };
    });
    if (current !== null) await warnOfOthers(current, io);
    await printer.note(current === null ? "No current context" : `Current context: ${current}`);
  },
};

const REMOVE: Verb = {
  name: "remove",
  summary: "Forget a saved daemon",
  words: [NAME],
  examples: [["jobctl context remove old", "Its token, too, if the file has it"]],
  isOffline: true,
  async run(args, { io, printer }) {
    const name = args.word("NAME");
    const path = neededPath(io);
    await changeContexts(path, io.clock, (contexts) => {
      contextNamed(contexts, name);
      return {
        current: contexts.current === name ? null : contexts.current,
        byName: new Map([...contexts.byName].filter(([each]) => each !== name)),
      };
    });
    await printer.note(`Context ${name} is removed`);
  },
};

function neededPath({ env }: CliIo): string {
  const path = contextsPath(env);
  if (path !== null) return path;
  throw new JobError("invalid_argument", "Cannot find the contexts: the environment has no HOME", {
    hint: "Set HOME or XDG_CONFIG_HOME to an absolute path",
  });
}

/** Warn of sources that override the current context: variables, or the folder's `config.toml`. */
async function warnOfOthers(current: string, io: CliIo): Promise<void> {
  const set = Object.values(CONNECTION_OPTIONS).map(({ env }) => env)
    .filter((name) => name !== undefined)
    .filter((name) => !/_(DAEMON_USER|CALL_TIMEOUT)$/.test(name) && (io.env[name] ?? "") !== "");
  const folder = set.length > 0 ? null : await folderDaemon(io.cwd);
  if (set.length > 0) {
    await io.stderr.write(`${set.join(", ")} is set, which comes before the current context\n`);
  } else if (folder !== null && "values" in folder) {
    const file = makeVisible(folder.file);
    await io.stderr.write(
      `In this folder, ${file} comes before the current context: use jobctl -x ${current} VERB\n`,
    );
  }
}

/** `jobctl context …` */
export const CONTEXT: VerbGroup = {
  name: "context",
  summary: "Save how daemons are reached, and choose one",
  verbs: [ADD, LIST, USE, SHOW, REMOVE],
  initial: LIST,
};
