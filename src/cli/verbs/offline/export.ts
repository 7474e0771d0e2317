import { hostTimezone } from "../../../platform/host_timezone.ts";
import {
  type Dialect,
  DIALECT_RULES,
  DIALECTS,
  guessDialect,
} from "../../../tools/import/dialect.ts";
import { EXIT } from "../../io/exit_codes.ts";
import { OUT_OPTIONS, writeMessage, writeOut } from "../../parsing/written_file.ts";
import { usageError } from "../../parsing/args.ts";
import { CONFIG_OPTION, loadOptionsOf, neededConfigFile } from "../../parsing/config_file.ts";
import type { Verb, VerbGroup } from "../../verb/verb.ts";

const CRONTAB: Verb = {
  name: "crontab",
  summary: "Write the scheduled commands of the configuration as a crontab",
  details:
    "Works without a daemon. Anything that a crontab cannot express is reported on stderr, job by job, and the exit code " +
    "is then 3. This depends on the cron that reads it, which --dialect names. If any job has a user, every line has " +
    "one, as in /etc/cron.d.",
  options: {
    config: CONFIG_OPTION,
    system: {
      describe: "Write a user before each command (default if a job has one)",
      isFlag: true,
    },
    dialect: {
      value: "NAME",
      describe: "The cron that reads the crontab (default: the installed one)",
      choices: DIALECTS,
    },
    timezone: {
      value: "ZONE",
      describe:
        "Zone that cron runs in (default: the host's); jobs in others get CRON_TZ, or are left out",
    },
    ...OUT_OPTIONS,
  },
  examples: [["jobctl export crontab --config config.toml > crontab.txt", "Back to cron"]],
  isOffline: true,
  async run(args, { io }) {
    const dialect = args.text("dialect") as Dialect | undefined ?? guessDialect();
    const { program, hasSystemCrontabs } = DIALECT_RULES[dialect];
    if (args.flag("system") && !hasSystemCrontabs) {
      throw usageError(
        `Cannot write a user before each command: ${program} reads only users' crontabs`,
        "Omit --system",
      );
    }
    const file = neededConfigFile(args, io.cwd, "export");
    const { loadProject } = await import("../../../tools/load_project.ts");
    const { exportCrontab } = await import("../../../tools/export_crontab.ts");
    const { jobs, problems } = await loadProject(file, loadOptionsOf(io));
    const result = exportCrontab(jobs, {
      timezone: args.text("timezone") ?? hostTimezone(),
      dialect,
      isSystem: args.flag("system") || undefined,
    });
    await writeOut(result.text, args, io);
    for (const { job, message } of problems) {
      await writeMessage(io, `${file}: jobs.${job}: left out: ${message}`);
    }
    for (const { kind, text } of result.notes) {
      await writeMessage(io, `${file}: jobs.${kind}: ${text}`);
    }
    return problems.length + result.notes.length > 0 ? EXIT.conditionNotMet : EXIT.ok;
  },
};

const PROTO: Verb = {
  name: "proto",
  summary: "Write job.proto, the gRPC contract, for clients in any language",
  details:
    "Works without a daemon. The file imports only google/protobuf/timestamp.proto, which every generator has.",
  options: OUT_OPTIONS,
  examples: [["jobctl export proto --out job.proto", "For protoc, buf, grpcurl or Postman"]],
  isOffline: true,
  async run(args, { io }) {
    const { JOB_PROTO } = await import("../../../rpc/gen/job_proto.ts");
    await writeOut(JOB_PROTO, args, io);
  },
};

const SCHEMA: Verb = {
  name: "schema",
  summary: "Write the JSON Schema of the configuration, for editors",
  details:
    "Works without a daemon. With it, an editor completes and checks config.toml as you type.",
  options: OUT_OPTIONS,
  examples: [[
    "jobctl export schema --out jobctl.schema.json",
    "Name it in the first line of config.toml: #:schema ./jobctl.schema.json",
  ]],
  isOffline: true,
  async run(args, { io }) {
    const { configSchema } = await import("../../../tools/config_schema.ts");
    await writeOut(`${JSON.stringify(configSchema(), null, 2)}\n`, args, io);
  },
};

/** `jobctl export` */
export const EXPORT: VerbGroup = {
  name: "export",
  summary: "Write the configuration for another scheduler, its JSON Schema, or the gRPC contract",
  verbs: [CRONTAB, PROTO, SCHEMA],
};
