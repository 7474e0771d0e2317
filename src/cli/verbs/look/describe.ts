import { describeInstance, describeJob, showPings } from "../../lookup/descriptions.ts";
import { findInstance } from "../../lookup/find_instance.ts";
import { FIELDS_OPTION } from "../../parsing/options.ts";
import type { Verb, VerbGroup } from "../../verb/verb.ts";
import { DESCRIBE_FLOW } from "./describe_flow.ts";
import { nodeVerb, scheduleVerb } from "./get_others.ts";
import { namedVerb } from "./named_verb.ts";

const JOB: Verb = {
  name: "job",
  summary: "Explain a job: its arguments, options and schedules",
  watches: "job",
  words: [{ name: "KIND", describe: "Kind of the job", offers: "kind" }],
  options: {
    ...FIELDS_OPTION,
    "ping-url": {
      describe: "Show the secret path of the pings of an external job; requires admin",
      isFlag: true,
    },
  },
  examples: [
    ["jobctl describe job report", "How to call it, and when it runs"],
    ["jobctl describe job backup --ping-url -o name", "The path of its pings: /ping/KEY"],
  ],
  async run(args, { client, printer }) {
    const kind = args.word("KIND");
    const connection = await client();
    if (args.flag("ping-url")) return await showPings(kind, connection, printer);
    await describeJob(kind, connection, printer);
  },
};

const INSTANCE: Verb = {
  name: "instance",
  summary: "Explain an instance: arguments, results or error, times, history, end of its log",
  watches: "instance",
  words: [{
    name: "ID",
    describe: "Its id, any unambiguous part of it, last, or last:KIND",
    offers: "instance",
  }],
  options: FIELDS_OPTION,
  examples: [
    ["jobctl describe instance 01938f2c-7d3e", "What became of a run"],
    ["jobctl describe instance 01938f2c-7d3e --watch", "The same while it runs, until it ends"],
  ],
  async run(args, { client, printer }) {
    const connection = await client();
    const instance = await findInstance(connection, args.word("ID"), "jobctl describe job KIND");
    await describeInstance(instance, connection, printer);
  },
};

const NAMED = namedVerb({
  name: "describe",
  summary: "Explain a job by its kind, or an instance, schedule or node by its id",
  examples: [
    ["jobctl describe backup", "The job"],
    ["jobctl describe last:backup", "Its last run"],
  ],
  showJob: describeJob,
  showInstance: describeInstance,
});

/** `jobctl describe …` */
export const DESCRIBE: VerbGroup = {
  name: "describe",
  summary: "Show everything about a job, an instance, a flow, a schedule or a node",
  verbs: [JOB, INSTANCE, DESCRIBE_FLOW, scheduleVerb("describe"), nodeVerb("describe")],
  otherwise: NAMED,
};
