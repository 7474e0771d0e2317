import type { Attack } from "./attack.ts";
import { HTTP } from "./attacks/http.ts";
import { READS } from "./attacks/reads.ts";
import { STRANGERS } from "./attacks/strangers.ts";
import { TLS } from "./attacks/tls.ts";

/** Every attack, in the order of the table. */
export const ATTACKS: readonly Attack[] = [...READS, ...STRANGERS, ...TLS, ...HTTP];
