import type { JobClient } from "../../../rpc/client/client.ts";
import { EXIT } from "../../io/exit_codes.ts";
import { withInterrupt } from "../../verb/follow.ts";
import { present } from "../../lookup/lookup.ts";
import { type Args, assertOneOf, INT32_MAX } from "../../parsing/args.ts";
import { CONFIG_OPTION, configFileOf } from "../../parsing/config_file.ts";
import type { OptionSpecs } from "../../parsing/options.ts";
import { CHANGE_OPTIONS } from "../../lookup/run_options.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { bigMs, isFinalState, type RequestOf, stateName } from "../../io/wire.ts";
import {
  ARGUMENT_OPTIONS,
  JOB_WORDS,
  readArguments,
  requestArguments,
} from "./schedule_arguments.ts";
import { printPreview, printRun, showRun } from "./show_run.ts";

const OPTIONS: OptionSpecs = {
  config: CONFIG_OPTION,
  timeout: CHANGE_OPTIONS.timeout!,
  retries: {
    value: "N",
    describe: "How many retries after a failed attempt (default 0, whatever the job says)",
  },
  ...ARGUMENT_OPTIONS,
  "dry-run": { describe: "Convert and check the arguments, but run nothing", isFlag: true },
};

function readRequest(args: Args): RequestOf<"scheduleJob"> {
  assertOneOf(args, ["dry-run", "retries"]);
  return {
    kind: args.word("KIND"),
    timeoutMs: bigMs(args.durationMs("timeout")),
    maxRetries: args.integer("retries", { min: 0, max: INT32_MAX }) ?? 0,
    dryRun: args.flag("dry-run") || undefined,
  };
}

/** Report instances that the run scheduled and that will not run. */
async function noteUnrun(client: JobClient, { io }: VerbContext): Promise<void> {
  const { instances } = await client.lookupInstances({ query: {} });
  const kinds = instances.filter(({ state }) => !isFinalState(state)).map(({ kind }) => kind);
  if (kinds.length === 0) return;
  const names = [...new Set(kinds)].join(", ");
  await io.stderr.write(`jobctl: ${kinds.length} scheduled by the job were not run: ${names}\n`)
    .catch(() => {});
}

/** `jobctl exec KIND [ARGS…]` */
export const EXEC: Verb = {
  name: "exec",
  summary: "Run a job once, here and now, without a daemon",
  details: [
    "The job runs as under the daemon: same configuration, user, environment and limits, in",
    "another process. Its log goes to stderr as it is written. At its end the whole instance goes to",
    "stdout, with its state and result. No store is opened, no schedule runs, and a running daemon",
    "is not disturbed. Exit codes: 0 completed, 3 failed, 124 timed out, 130 after Ctrl-C or",
    "SIGTERM, which cancel the run.",
  ].join(" "),
  words: JOB_WORDS,
  options: OPTIONS,
  examples: [
    ["jobctl exec report 2026-01-31", "With the config.toml of this folder"],
    [
      "jobctl exec report --region eu --config /etc/jobctl/config.toml",
      "With another configuration",
    ],
    ["jobctl exec report --dry-run", "Only check the arguments"],
  ],
  isOffline: true,
  takesNamed: true,
  async run(args, context) {
    const { io } = context;
    const plain = readRequest(args);
    const given = readArguments(args);
    const { openLocal } = await import("../../../daemon/app.ts");
    const local = await openLocal({
      configFile: configFileOf(args, io.cwd),
      kind: plain.kind!,
      values: context.printer.values,
      env: io.env,
      writeLog: (line) => void io.stderr.write(line).catch(() => {}),
    });
    try {
      const { client } = local;
      const options = Object.keys(OPTIONS);
      const named = await requestArguments(given, { kind: plain.kind!, client, options });
      const answer = await client.scheduleJob({ ...plain, ...named });
      if (plain.dryRun) return await printPreview(answer, context);
      const accepted = present(answer.instance, `Cannot run job "${plain.kind}"`);
      let isInterrupted = false;
      const cancel = () => {
        isInterrupted = true;
        client.cancelInstances({ query: { uuid: accepted.uuid } }).catch(() => {});
      };
      // A second signal ends the program, and the worker with it.
      const instance = await withInterrupt(
        context,
        (signal) => showRun(client, accepted, { ...context, signal }),
        { interrupted: cancel, signals: ["SIGTERM", "SIGHUP"] },
      );
      await noteUnrun(client, context);
      const code = await printRun(instance, context);
      if (isInterrupted) return EXIT.interrupted;
      return stateName(instance.state) === "TimedOut" ? EXIT.timedOut : code;
    } finally {
      await local.stop();
    }
  },
};
