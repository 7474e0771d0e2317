import type { SecretMask } from "../core/text/secret_mask.ts";
import type { AttemptOutcome } from "./executor.ts";

/** An outcome with the secrets in its results and error masked. */
export function maskOutcome(outcome: AttemptOutcome, mask: SecretMask): AttemptOutcome {
  if (mask.isEmpty) return outcome;
  if ("error" in outcome) return { ...outcome, error: mask.error(outcome.error) };
  if (outcome.type !== "ok") return outcome;
  return { ...outcome, resultsJson: mask.json(outcome.resultsJson) };
}
