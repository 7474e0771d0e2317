import { existsSync } from "node:fs";
import { join } from "node:path";
import { describeSignature } from "../../../core/arguments/describe.ts";
import type { Signature } from "../../../core/arguments/signature.ts";
import { isJobError } from "../../../core/errors.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import type { Args } from "../../parsing/args.ts";
import { loadOptionsOf } from "../../parsing/config_file.ts";
import type { VerbContext } from "../../verb/verb.ts";
import { signatureLines, signatureOf, summaryLines } from "../../views/signature_lines.ts";

/** Longest wait of a help text for the daemon. */
const ASK_MS_MAX = 2_000;

/**
 * The parameters of a job, for `jobctl schedule KIND --help`: from the daemon, or from the
 * configuration of this folder if none responds.
 *
 * @returns lines; none if neither has the job
 */
export async function explainJob(args: Args, context: VerbContext): Promise<string[]> {
  const kind = args.word("KIND");
  const asked = await askDaemon(kind, context);
  if (asked === "unknown kind") {
    return [`The daemon has no job "${makeVisible(kind)}": see jobctl list jobs`];
  }
  const found = asked ?? await readConfig(kind, context);
  if (found === null) return [];
  const { signature, from } = found;
  return [
    `Job ${makeVisible(describeSignature(kind, signature))}`,
    ...summaryLines(signature),
    "",
    ...signatureLines(signature, context.printer.columns),
    "",
    `Arguments are given by position, or by name as --NAME VALUE. Source: ${makeVisible(from)}.`,
  ];
}

interface Found {
  readonly signature: Signature;
  readonly from: string;
}

async function askDaemon(
  kind: string,
  context: VerbContext,
): Promise<Found | "unknown kind" | null> {
  try {
    const { job } = await (await context.client()).getJob({ kind }, { timeoutMs: ASK_MS_MAX });
    const signature = job === undefined ? null : signatureOf(job);
    return signature === null ? null : { signature, from: "the daemon" };
  } catch (error) {
    if (isJobError(error, "not_found")) return "unknown kind";
    // Help does not report problems with the connection.
    return null;
  }
}

async function readConfig(kind: string, { io }: VerbContext): Promise<Found | null> {
  const file = io.env.JOBCTL_CONFIG || join(io.cwd, "config.toml");
  if (!existsSync(file)) return null;
  try {
    const { loadProject } = await import("../../../tools/load_project.ts");
    const { jobs } = await loadProject(file, loadOptionsOf(io));
    const job = jobs.find((each) => each.kind === kind);
    return job === undefined ? null : { signature: job.signature, from: file };
  } catch {
    return null;
  }
}
