import { countText } from "../../../core/text/count_text.ts";
import { resolve } from "node:path";
import { backupName, readBackup } from "../../../maintenance/backup_file.ts";
import { writeBackup } from "../../verb/backup_file.ts";
import { confirm } from "../../lookup/confirm.ts";
import { EXIT } from "../../io/exit_codes.ts";
import type { PlainRecord } from "../../output/view.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import {
  moveTarget,
  showProgress,
  STORE_OPTIONS,
  storePlace,
  workOn,
} from "../../verb/store_work.ts";
import type { Verb, VerbGroup } from "../../verb/verb.ts";
import {
  backupLines,
  gcLines,
  infoLines,
  moveLines,
  problemLines,
} from "../../views/store_view.ts";

const YES = { alias: "y", describe: "Do not ask", isFlag: true } as const;
const OFFLINE = [
  "Asks the daemon. If none responds, it opens the store of the configuration in this folder.",
  "With --config or --store it never asks a daemon.",
].join(" ");

const INFO: Verb = {
  name: "info",
  summary: "Show the store's type, contents and size",
  details: OFFLINE,
  options: STORE_OPTIONS,
  examples: [[
    "jobctl store info",
    "Type, place, durability, counts, size, the oldest instance, the last backup",
  ]],
  async run(args, context) {
    const report = await workOn({ type: "info" }, { args, context });
    const { printer } = context;
    await printer.details(report, String(report.id), infoLines(report, printer.nowMs));
  },
};

const VERIFY: Verb = {
  name: "verify",
  summary: "Check the store for inconsistencies",
  details: [
    OFFLINE,
    "The exit code is 1 if there is a problem. SQLite checks its whole file, and the daemon does",
    "nothing else meanwhile.",
  ].join(" "),
  options: STORE_OPTIONS,
  examples: [["jobctl store verify", "No problems, or a list of them"]],
  async run(args, context) {
    const report = await workOn({ type: "verify" }, { args, context });
    await context.printer.details(report, "problems", problemLines(report));
    return report.is_whole === true ? EXIT.ok : EXIT.error;
  },
};

const GC: Verb = {
  name: "gc",
  summary: "Delete expired and orphaned records now",
  details: [
    OFFLINE,
    "The daemon does this by itself every minute. Use it if you cannot wait, or after you have",
    "changed keep.",
  ].join(" "),
  options: {
    ...STORE_OPTIONS,
    compact: {
      describe:
        "Also return free space to the disk (SQLite rewrites its file, and nothing runs meanwhile)",
      isFlag: true,
    },
  },
  examples: [["jobctl store gc --compact", "Says how much was deleted and freed"]],
  async run(args, context) {
    const work = { type: "gc", compacts: args.flag("compact") } as const;
    const report = await workOn(work, { args, context });
    await context.printer.details(report, "gc", gcLines(report));
  },
};

const BACKUP: Verb = {
  name: "backup",
  summary: "Save everything in the store to a file, while jobs run",
  details: [
    OFFLINE,
    "The file has one line per record, and the lines are the same for every kind of store. It is",
    "compressed if its name ends in .gz. The last line has counts and a hash: a file without it",
    "is incomplete. Only the file's owner can read it, because arguments and logs can contain",
    "secrets.",
  ].join(" "),
  words: [{ name: "FILE", describe: "File to write", offers: "file" }],
  options: {
    ...STORE_OPTIONS,
    force: { describe: "Overwrite the file", isFlag: true },
    salvage: {
      describe: "Save what is readable of a damaged SQLite file, without a daemon",
      isFlag: true,
    },
  },
  examples: [
    ["jobctl store backup /backup/jobs.jsonl.gz", "For example every night, in a job"],
    [
      "jobctl store backup rest.jsonl --salvage -c config.toml",
      "Whatever is readable in a damaged file",
    ],
  ],
  async run(args, context) {
    const path = resolve(context.io.cwd, args.word("FILE"));
    const writer = await writeBackup(path, { force: args.flag("force") });
    const chunk = (bytes: Uint8Array) => writer.write(bytes);
    let report: PlainRecord;
    try {
      const work = { type: args.flag("salvage") ? "salvage" : "backup" } as const;
      report = { ...await workOn(work, { args, context, chunk }), file: path };
      await writer.end();
    } catch (error) {
      await writer.discard();
      throw error;
    }
    const { printer } = context;
    await printer.details(report, path, backupLines(report, printer.nowMs));
  },
};

const RESTORE: Verb = {
  name: "restore",
  summary: "Fill an empty store with a backup",
  details: [
    "Works without a daemon, on the store of the configuration or of --store. The backup is",
    "checked first, and the store is compared with it afterwards. If the command is interrupted,",
    "run it again to continue. Attempts that were running when the backup was taken run again,",
    "with higher fences.",
  ].join(" "),
  words: [{ name: "FILE", describe: "File that store backup wrote", offers: "file" }],
  options: STORE_OPTIONS,
  examples: [
    ["jobctl store restore /backup/jobs.jsonl.gz -c config.toml", "Refused unless it is empty"],
    ["jobctl store restore jobs.jsonl.gz --store valkey://host:6379", "Into another kind of store"],
  ],
  isOffline: true,
  async run(args, { io, printer }) {
    const path = resolve(io.cwd, args.word("FILE"));
    readBackup(path);
    const { restoreConfigured } = await import("../../../maintenance/configured.ts");
    const waiting: Promise<void>[] = [];
    const { header, ...restored } = await restoreConfigured(() => readBackup(path), {
      name: backupName(path),
      place: storePlace(args, io),
      clock: io.clock,
      progress: (text) => void waiting.push(showProgress(text, args, io)),
    });
    await Promise.all(waiting);
    const report = { ...restored, file: path, taken_at: new Date(header.at).toISOString() };
    const lines = backupLines(report, printer.nowMs);
    await printer.details(report as PlainRecord, path, lines);
  },
};

const MIGRATE: Verb = {
  name: "migrate",
  summary: "Move everything to another store, while jobs run until a short cut-over",
  details: [
    "The daemon copies in passes while jobs run. Then it stops accepting anything new, lets",
    "running attempts end as in a drain, copies the rest, compares both sides by a hash, and",
    "marks the old store as moved: no daemon opens it again. Then set store.url to the new URL",
    "and restart the daemon. If the command is interrupted, run it again to continue. Until it",
    "has finished, the old store stays in use. A target that is not empty is refused. A running",
    "daemon moves only to stores that its configuration names in store.targets. Without a daemon",
    "(--config or --store) any URL works.",
  ].join(" "),
  options: {
    ...STORE_OPTIONS,
    to: {
      value: "NAME",
      describe: "Name of the new store in store.targets; without a daemon, also a URL",
    },
    prefix: {
      value: "TEXT",
      describe:
        "Namespace on the new store, without a daemon only (default: the target's, or store.prefix)",
    },
    verify: { describe: "Show record counts and hashes of both sides", isFlag: true },
    undo: { describe: "Return to the old store, which is an older copy of the data", isFlag: true },
    yes: YES,
  },
  examples: [
    [
      "jobctl store migrate --to shared --verify",
      "From one machine to several, with the daemon running",
    ],
    [
      "jobctl store migrate --to valkey://host:6379 -c config.toml",
      "Without a daemon, to any URL",
    ],
    ["jobctl store migrate --undo -c config.toml", "Back to the old store, deliberately"],
  ],
  async run(args, context) {
    const { io, printer } = context;
    if (args.flag("undo")) return await undo();
    const { to, prefix, shown } = await moveTarget(args, context);
    const info = await workOn({ type: "info" }, { args, context });
    const what = `move ${countText(Number(info.instances), "instance")} and ` +
      `${countText(Number(info.schedules), "schedule")} from ` +
      `${info.location} to ${shown}; the daemon accepts nothing new afterwards`;
    await confirm(io, what, args.flag("yes"));
    const work = { type: "migrate", to, prefix } as const;
    const report = await workOn(work, { args, context });
    const lines = moveLines(report, { isVerbose: args.flag("verify") });
    await printer.details(report, makeVisible(shown), lines);

    async function undo(): Promise<void> {
      const question = "return to the old store, without what happened in the new one";
      await confirm(io, question, args.flag("yes"));
      const report = await workOn({ type: "undo" }, { args, context });
      await printer.details(report, "undo", [
        report.was === null ? "The store had not moved: it is in use" : "The store is in use again",
      ]);
    }
  },
};

/** `jobctl store …` */
export const STORE: VerbGroup = {
  name: "store",
  summary: "Manage the store: info, verify, gc, backup, restore, migrate",
  verbs: [INFO, VERIFY, GC, BACKUP, RESTORE, MIGRATE],
  initial: INFO,
};
