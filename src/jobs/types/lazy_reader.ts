import { Lazy } from "../../platform/lazy.ts";

/**
 * What reads the types of jobs. It has a parser of TypeScript, which takes two megabytes: a daemon
 * loads it for its first module, or for the first command with parameters.
 */
export const typeReader = new Lazy(() => import("./read_signature.ts"));
