import type { LogLevel } from "../../core/instance.ts";
import type { ChannelSettings, ChannelTarget } from "../../core/notices/settings.ts";
import {
  type Channel,
  type ChannelDeps,
  type Deliverer,
  toDeliveryError,
  withTimeLimit,
} from "./channel.ts";
import { createExecChannel } from "./exec_channel.ts";
import { createMailChannel } from "./mail/mail_channel.ts";
import { createSyslogChannel } from "./syslog_channel.ts";
import { createWebhookChannel } from "./webhook/webhook_channel.ts";

/**
 * The channel of a configuration. Each delivery takes at most its `timeoutMs`; errors and previews
 * have no secrets.
 */
export function createChannel(settings: ChannelSettings, deps: ChannelDeps): Channel {
  const deliverer = delivererFor(settings, settings.target, deps);
  const { timeoutMs } = settings;
  const { clock, mask } = deps;
  return {
    settings,
    async deliver(notice, context) {
      const { log: write } = context;
      const log = write &&
        ((level: LogLevel, line: string) => write(level, mask.text(line)));
      try {
        await withTimeLimit(
          { clock, timeoutMs, signal: context.signal },
          (signal) => deliverer.deliver(notice, { ...context, signal, ...(log ? { log } : {}) }),
        );
      } catch (error) {
        throw toDeliveryError(error, mask);
      }
    },
    async preview(notice) {
      return mask.text(await deliverer.preview(notice));
    },
  };
}

function delivererFor(
  settings: ChannelSettings,
  target: ChannelTarget,
  deps: ChannelDeps,
): Deliverer {
  switch (target.to) {
    case "mail":
      return createMailChannel(settings, target, deps);
    case "webhook":
      return createWebhookChannel(settings, target, deps);
    case "exec":
      return createExecChannel(settings, target, deps);
    case "syslog":
      return createSyslogChannel(settings, target, deps);
  }
}
