import { JobError } from "../../../core/errors.ts";
import { signatureSchema } from "../../../core/arguments/json_schema.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { Job, JobInstance } from "../../../rpc/gen/job_pb.ts";
import {
  FIELDS_OPTION,
  INSTANCE_FIELDS,
  OUTPUT_OPTIONS,
  type WordSpec,
} from "../../parsing/options.ts";
import { OUTPUT_FORMATS } from "../../output/format.ts";
import type { Printer } from "../../output/printer.ts";
import type { Plain } from "../../output/view.ts";
import { formatJson } from "../../output/json.ts";
import { signatureOf } from "../../views/signature_lines.ts";
import { findInstance } from "../../lookup/find_instance.ts";
import { present } from "../../lookup/lookup.ts";
import type { Verb, VerbGroup } from "../../verb/verb.ts";
import { describeInstance, describeJob } from "../../lookup/descriptions.ts";
import { nodeVerb, scheduleVerb, stepsVerb } from "./get_others.ts";
import { namedVerb } from "./named_verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";
import { JOB_VIEW } from "../../views/job_view.ts";

const ID_WORD: WordSpec = {
  name: "ID",
  describe: "Its id, any unambiguous part of it, last, or last:KIND",
};

const JOB_FORMATS = [...OUTPUT_FORMATS, "jsonschema"];

function schemaOf(job: Job): Plain {
  const signature = signatureOf(job);
  if (signature !== null) return signatureSchema(job.kind, signature) as Plain;
  throw new JobError("internal", `Cannot read the signature of job "${job.kind}"`, {
    hint: "The daemon is of another version: compare jobctl get version",
  });
}

const VERSION: Verb = {
  name: "version",
  summary: "Show the version of the daemon",
  examples: [["jobctl get version", "The daemon's version; jobctl --version is the program's own"]],
  async run(_args, { client, printer }) {
    const { version } = await (await client()).getVersion({});
    await printer.value(version, version);
  },
};

const JOB: Verb = {
  name: "job",
  summary: "Show one registered job. Its text is that of jobctl describe job",
  watches: "job",
  words: [{ name: "KIND", describe: "Kind of the job", offers: "kind" }],
  options: {
    ...FIELDS_OPTION,
    output: {
      value: "FORMAT",
      ...OUTPUT_OPTIONS.output!,
      describe: `${JOB_FORMATS.join(", ")}: jsonschema writes the schema of its arguments by name`,
      choices: JOB_FORMATS,
    },
  },
  examples: [
    ["jobctl get job report -o yaml", "Everything about a job"],
    ["jobctl get job report -o jsonschema", "A JSON Schema of its arguments"],
  ],
  async run(args, { client, printer }) {
    const kind = args.word("KIND");
    const connection = await client();
    if (args.text("output") !== "jsonschema") return await showJob(kind, connection, printer);
    await printer.text(formatJson(schemaOf(await getJob(kind, connection)), 2));
  },
};

async function getJob(kind: string, client: JobClient): Promise<Job> {
  return present((await client.getJob({ kind })).job, `Cannot get job "${kind}"`);
}

async function showJob(kind: string, client: JobClient, printer: Printer): Promise<void> {
  if (printer.isHuman) return await describeJob(kind, client, printer);
  await printer.one(JOB_VIEW, await getJob(kind, client));
}

const INSTANCE: Verb = {
  name: "instance",
  summary: "Show one instance. Its text is that of jobctl describe instance",
  watches: "instance",
  words: [{ ...ID_WORD, offers: "instance" }],
  options: INSTANCE_FIELDS,
  examples: [["jobctl get instance 01938f2c-7d3e", "The instance whose id begins with this"]],
  async run(args, { client, printer }) {
    const connection = await client();
    const instance = await findInstance(connection, args.word("ID"), "jobctl get job KIND");
    await showInstance(instance, connection, printer);
  },
};

async function showInstance(
  instance: JobInstance,
  client: JobClient,
  printer: Printer,
): Promise<void> {
  if (printer.isHuman) return await describeInstance(instance, client, printer);
  await printer.one(INSTANCE_VIEW, instance);
}

const NAMED = namedVerb({
  name: "get",
  summary: "Show a job by its kind, or an instance, schedule or node by its id",
  examples: [["jobctl get last", "The newest instance"]],
  showJob,
  showInstance,
});

/** `jobctl get …` */
export const GET: VerbGroup = {
  name: "get",
  summary: "Show one job, instance, schedule or node, or the version of the daemon",
  verbs: [VERSION, JOB, INSTANCE, scheduleVerb("get"), nodeVerb("get"), stepsVerb("get")],
  otherwise: NAMED,
};
