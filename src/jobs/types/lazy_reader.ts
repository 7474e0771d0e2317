import { Lazy } from "../../platform/lazy.ts";

/**
 * Reads the types of jobs. Its TypeScript parser takes two megabytes: a daemon loads it for its
 * first module, or its first command with parameters.
 */
export const typeReader = new Lazy(() => import("./read_signature.ts"));
