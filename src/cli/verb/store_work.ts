import { isJobError, JobError } from "../../core/errors.ts";
import { TARGET_NAME } from "../../core/settings/store_config.ts";
import type { StorePlace } from "../../maintenance/configured.ts";
import type { StoreStep, StoreWork } from "../../maintenance/step.ts";
import { withInterrupt } from "./follow.ts";
import type { CliIo } from "../io/io.ts";
import type { PlainRecord } from "../output/view.ts";
import { writeMessage } from "../parsing/written_file.ts";
import type { Args } from "../parsing/args.ts";
import { CONFIG_OPTION, configFileOf } from "../parsing/config_file.ts";
import type { OptionSpecs } from "../parsing/options.ts";
import type { VerbContext } from "./verb.ts";

/** Progress text that a daemon sends without progress. */
const HEARTBEAT = "…";

/** Options of the verbs that maintain a store, through a daemon or without one. */
export const STORE_OPTIONS: OptionSpecs = {
  config: {
    ...CONFIG_OPTION,
    describe: "Work on the store of this configuration, without a daemon",
  },
  store: { value: "URL", describe: "Work on the store of this URL, without a daemon" },
};

/** Location of the store without a daemon. */
export function storePlace(args: Args, io: CliIo): StorePlace {
  const configFile = configFileOf(args, io.cwd);
  return { configFile, url: args.text("store"), env: io.env, cwd: io.cwd };
}

/**
 * Run a work through the daemon, or on the configuration's store. Progress goes to stderr.
 *
 * @param chunk called with each part of a backup
 * @returns the report
 * @throws JobError `canceled` at an interrupt
 */
export async function workOn(
  work: StoreWork,
  { args, context, chunk }: {
    readonly args: Args;
    readonly context: VerbContext;
    readonly chunk?: (bytes: Uint8Array) => Promise<void>;
  },
): Promise<PlainRecord> {
  return await withInterrupt(context, async (signal) => {
    let report: PlainRecord | null = null;
    for await (const step of await stepsOf(work, { args, context, signal })) {
      if (step.type === "progress") await showProgress(step.text, args, context.io);
      else if (step.type === "chunk") await chunk?.(step.bytes);
      else report = step.report as PlainRecord;
    }
    // The steps of a daemon end quietly at an interrupt. Only a report makes them complete.
    if (report === null) throw unfinished(signal);
    return report;
  }, { signals: ["SIGTERM", "SIGHUP"] });
}

function unfinished({ aborted }: AbortSignal): JobError {
  return aborted
    ? new JobError("canceled", "Stopped the work on the store: it was interrupted", {
      hint: "Run the same command again",
    })
    : new JobError("internal", "Cannot work on the store: the daemon's response is incomplete", {
      hint: "Run the same command again; the log of the daemon may say more",
    });
}

/** Write progress to stderr. */
export async function showProgress(text: string, args: Args, io: CliIo): Promise<void> {
  if (text === HEARTBEAT || args.flag("quiet")) return;
  await writeMessage(io, text);
}

async function stepsOf(
  work: StoreWork,
  { args, context, signal }: {
    readonly args: Args;
    readonly context: VerbContext;
    readonly signal: AbortSignal;
  },
): Promise<AsyncIterable<StoreStep>> {
  if (work.type !== "salvage" && await hasDaemon(args, context)) {
    return fromDaemon(work, context, signal);
  }
  const { workOffline } = await import("../../maintenance/configured.ts");
  const { silentLogger } = await import("../../platform/logger.ts");
  const { io } = context;
  return workOffline(work, storePlace(args, io), { logger: silentLogger, clock: io.clock, signal });
}

/**
 * The target of a move, from `--to` and `--prefix`. A daemon moves only to a target named in its
 * configuration.
 *
 * @throws JobError `invalid_argument`
 */
export async function moveTarget(
  args: Args,
  context: VerbContext,
): Promise<{ readonly to: string; readonly prefix: string | null; readonly shown: string }> {
  const { targetUrl } = await import("../../maintenance/target_url.ts");
  const { full, shown } = targetUrl(args.text("to"), context.io.cwd);
  const prefix = args.text("prefix") ?? null;
  const isNamed = TARGET_NAME.test(full);
  if ((!isNamed || prefix !== null) && await hasDaemon(args, context)) {
    const found = isNamed
      ? "the prefix is set on the target"
      : "it accepts only names in its store.targets";
    throw new JobError("invalid_argument", `Cannot move to ${shown} through the daemon: ${found}`, {
      hint: `Add [store.targets] NAME = ${
        JSON.stringify(shown)
      } to its configuration, run jobctl reload and use --to NAME; or stop it and use --config FILE`,
    });
  }
  return { to: full, prefix, shown };
}

/**
 * True if a daemon is to be used and responds.
 *
 * @throws JobError `unavailable` if no daemon responds and no store is known
 */
async function hasDaemon(args: Args, context: VerbContext): Promise<boolean> {
  if (args.given(["config", "store"]).length > 0) return false;
  try {
    await (await context.client()).getVersion({});
    return true;
  } catch (error) {
    const isNamed = args.given(["host", "port", "socket"]).length > 0;
    const file = configFileOf(args, context.io.cwd);
    if (!isJobError(error, "unavailable") || isNamed || file === null) throw error;
    await showProgress(`No daemon responds: opening the store of "${file}"`, args, context.io);
    return false;
  }
}

async function* fromDaemon(
  work: StoreWork,
  context: VerbContext,
  signal: AbortSignal,
): AsyncGenerator<StoreStep> {
  const client = await context.client();
  const request = {
    work: work.type,
    ...(work.type === "migrate" ? { to: work.to } : {}),
    ...(work.type === "gc" ? { compact: work.compacts } : {}),
  };
  for await (const { step } of client.workOnStore(request, { signal })) {
    if (step.case === "progress") yield { type: "progress", text: step.value };
    else if (step.case === "chunk") yield { type: "chunk", bytes: step.value };
    else if (step.case === "reportJson") yield { type: "report", report: JSON.parse(step.value) };
  }
}
