import { findInstance, findSchedule, present } from "../lookup.ts";
import type { Verb, VerbGroup, WordSpec } from "../verb.ts";
import { INSTANCE_VIEW } from "../views/instance_view.ts";
import { JOB_VIEW } from "../views/job_view.ts";
import { SCHEDULE_VIEW } from "../views/schedule_view.ts";

const ID_WORD: WordSpec = { name: "ID", describe: "Its id, or a beginning that no other has" };

const VERSION: Verb = {
  name: "version",
  summary: "Show the version of the daemon",
  words: [],
  options: {},
  examples: [["jobctl get version", "The daemon's version; jobctl --version is the program's own"]],
  isClient: true,
  async run(_args, { client, printer }) {
    const { version } = await (await client()).getVersion({});
    await printer.value(version, version);
    return 0;
  },
};

const JOB: Verb = {
  name: "job",
  summary: "Show one registered job",
  words: [{ name: "KIND", describe: "Kind of the job" }],
  options: {},
  examples: [["jobctl get job report -o yaml", "Everything known of a job"]],
  isClient: true,
  async run(args, { client, printer }) {
    const kind = args.word("KIND");
    const { job } = await (await client()).getJob({ kind });
    await printer.one(JOB_VIEW, present(job, `Cannot get job "${kind}"`));
    return 0;
  },
};

const INSTANCE: Verb = {
  name: "instance",
  summary: "Show one instance",
  words: [ID_WORD],
  options: {},
  examples: [["jobctl get instance 01938f2c-7d3e", "The instance whose id begins so"]],
  isClient: true,
  async run(args, { client, printer }) {
    await printer.one(INSTANCE_VIEW, await findInstance(await client(), args.word("ID")));
    return 0;
  },
};

const SCHEDULE: Verb = {
  name: "schedule",
  summary: "Show one recurring schedule",
  words: [ID_WORD],
  options: {},
  examples: [["jobctl get schedule config:report:0", "The first schedule of a job of the config"]],
  isClient: true,
  async run(args, { client, printer }) {
    await printer.one(SCHEDULE_VIEW, await findSchedule(await client(), args.word("ID")));
    return 0;
  },
};

/** `jobctl get …` */
export const GET: VerbGroup = {
  name: "get",
  summary: "Show one job, instance or schedule, or the version of the daemon",
  verbs: [VERSION, JOB, INSTANCE, SCHEDULE],
};
