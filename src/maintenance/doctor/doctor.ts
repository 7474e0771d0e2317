import type { LoadedConfig } from "../../config/config.ts";
import { messageOf } from "../../core/errors.ts";
import { SecretMask } from "../../core/text/secret_mask.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { targetOf } from "./target.ts";
import { earlyChecks, lateChecks } from "./checks.ts";
import { findConfig } from "./config_check.ts";
import type { DoctorOptions, FoundDaemon } from "./facts.ts";
import { type Finding, findingsOf } from "./finding.ts";
import { inOrder, runChecks, withinMs } from "./run_checks.ts";

const AS_ROOT = "sudo jobctl doctor";
/** Longest time of a check that needs no daemon, in ms. */
const EARLY_MS_MAX = 1_200;
/** Longest time of the questions to the daemon. */
const DAEMON_MS_MAX = 700;
/** Longest time of a later check. */
const LATE_MS_MAX = 600;

/**
 * Check an installation's needs, and change nothing. Takes less than two seconds, even if hosts,
 * name servers or the daemon hang; calls that cannot be canceled may still wait afterwards.
 */
export async function diagnose(options: DoctorOptions): Promise<Finding[]> {
  const { configFile, env, cwd, clock } = options;
  const { loaded, findings } = await findConfig(configFile, { env, cwd });
  const config = loaded?.config ?? null;
  const early = runChecks(earlyChecks(options, config), { clock, deadlineMs: EARLY_MS_MAX });
  const asked = await withinMs<FoundDaemon>(DAEMON_MS_MAX, {
    clock,
    run: () => options.findDaemon(config),
    late: () => ({ type: "unknown", why: `no answer within ${DAEMON_MS_MAX} ms` }),
    failed: (error) => ({ type: "unknown", why: messageOf(error) }),
  });
  const late = await runChecks(
    lateChecks(await targetOf(options, { loaded, found: asked })),
    { clock, deadlineMs: LATE_MS_MAX },
  );
  const all = [...findings, ...skipped(loaded), ...await early, ...late];
  const mask = new SecretMask(loaded?.secrets ?? []);
  return inOrder(all).map((finding) => masked(finding, mask))
    .map((finding) => withConfig(finding, configFile));
}

/** A repeat of the check as root must use the same configuration. */
function withConfig(finding: Finding, file: string | null): Finding {
  return file === null || finding.remedy !== AS_ROOT
    ? finding
    : { ...finding, remedy: `${AS_ROOT} --config ${shellWord(file)}` };
}

function skipped(loaded: LoadedConfig | null): Finding[] {
  if (loaded !== null) return [];
  const why = "without a usable configuration: store, tokens, permissions, listeners, reach";
  return [findingsOf("config").unchecked(why)];
}

function masked(finding: Finding, mask: SecretMask): Finding {
  const { text, remedy } = finding;
  return { ...finding, text: mask.text(text), remedy: remedy === null ? null : mask.text(remedy) };
}
