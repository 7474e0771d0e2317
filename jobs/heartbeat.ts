import type { Context } from "ts-job";

/** Tells that the daemon is alive, once a minute: its schedule is in config.example.toml. */
export default function heartbeat({ log, scheduledFor, instance }: Context): void {
  log.info(`Alive at ${scheduledFor.toISOString()}, attempt ${instance.attempt}`);
}
