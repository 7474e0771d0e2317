import process from "node:process";
import { encodeError } from "../core/arguments/encode.ts";
import type { Logger } from "../platform/logger.ts";

/**
 * Log an uncaught error, such as from a promise left behind by an inline job, and end the daemon,
 * because its state is unknown. Returns a function that stops this.
 */
export function endOnUncaught(logger: Logger): () => void {
  const onError = (thrown: unknown) => {
    const { name, message, stack } = encodeError(thrown);
    const error = `${name}: ${message}`;
    logger.error("The daemon is stopping because of an uncaught error", { error, stack });
    process.exit(1);
  };
  process.on("uncaughtException", onError);
  process.on("unhandledRejection", onError);
  return () => {
    process.off("uncaughtException", onError);
    process.off("unhandledRejection", onError);
  };
}
