import type { Attack } from "./attack.ts";
import { DESCRIPTORS } from "./attacks/descriptors.ts";
import { HTTP } from "./attacks/http.ts";
import { JOBS } from "./attacks/jobs.ts";
import { OPERATORS } from "./attacks/operators.ts";
import { READS } from "./attacks/reads.ts";
import { STRANGERS } from "./attacks/strangers.ts";
import { TLS } from "./attacks/tls.ts";
import { VIEWERS } from "./attacks/viewers.ts";

/** Every attack, in the order of the table. */
export const ATTACKS: readonly Attack[] = [
  ...READS,
  ...VIEWERS,
  ...STRANGERS,
  ...TLS,
  ...HTTP,
  ...JOBS,
  ...OPERATORS,
  ...DESCRIPTORS,
];
