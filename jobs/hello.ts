import type { Context } from "ts-job";

/** Says hello: the smallest job that logs. */
export default function hello(context: Context): void {
  context.log.info("Hello from a job!");
}
