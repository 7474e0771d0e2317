/** The beginning of the configuration that `jobctl init` writes. */
export const INIT_CONFIG = `# Configuration of jobctl. Every key: docs/configuration.md
# Check it with: jobctl check --config config.toml

timezone = "UTC"              # zone of schedules that name none
modules = ["jobs"]            # directories of job modules: jobs/NAME.ts is the kind NAME

[store]
url = "sqlite:data/jobctl.db" # "memory:" loses everything when the daemon ends

[server]
host = "127.0.0.1"
port = 59051                  # gRPC
http = "127.0.0.1:59052"      # dashboard, API, /healthz /readyz /metrics; "" turns it off

[worker]
count = 4                     # attempts that run at once

[defaults]                    # for every job; a job's own table overrides them
timeout = "1h"
retry = { max = 2, initial = "10s" }

# Mails failures, late runs and recoveries. More: docs/notices.md
# [notices.ops]
# to = "mail"
# sendmail = true             # or a server: smtp = "smtps://USER@HOST", password and from
# recipients = ["root"]

# Options for the module jobs/greet.ts.
[jobs.greet]
schedule = "*/5 * * * *"      # minute hour day month weekday
args = { name = "world" }
`;

/** What {@link INIT_CONFIG} continues with, except on Windows. */
export const INIT_COMMAND = `
# A command needs no module. This is what a line of a crontab becomes.
[jobs.disk]
description = "Free space of the root file system"
run = "df -h /"
schedule = "0 * * * *"
`;

/** The job module that `jobctl init` writes. */
export const INIT_JOB = `/// <reference path="../ts-job.d.ts" />
import type { Context } from "ts-job";

/** Greets someone. The types are the interface: jobctl converts and checks arguments by them. */
export default function greet(context: Context, name: string, times = 1): string {
  const greeting = Array.from({ length: times }, () => \`Hello, \${name}!\`).join(" ");
  context.log.info(greeting);
  return greeting;
}
`;
