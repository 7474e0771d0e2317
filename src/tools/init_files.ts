import { STATE_FOLDER } from "./service/service_settings.ts";

/** A project's places for its database and tokens, and its mail settings. */
interface InitPlaces {
  /** Lines of `[store]` and `[server.auth]`. */
  readonly store: string;
  /** Lines of a channel for mail, as comments. */
  readonly mail: string;
}

const PROJECT: InitPlaces = {
  store: `[store]
url = "sqlite:data/jobctl.db" # "memory:" loses everything when the daemon ends
`,
  mail: `# sendmail = true             # or a server: smtp = "smtps://USER@HOST", password and from
# recipients = ["root"]
`,
};

/** The service may write only to its own folder, and `sendmail` often does not work there. */
const SERVICE: InitPlaces = {
  store: `[store]
url = "sqlite:${STATE_FOLDER}/jobctl.db"

[server.auth]
tokens_file = "${STATE_FOLDER}/tokens.json" # managed by jobctl token
`,
  mail: `# smtp = "smtps://USER@mail.example.org"
# password = { credential = "jobctl.smtp" } # root writes it to /etc/credstore/jobctl.smtp
# from = "jobctl@example.org"
# recipients = ["ops@example.org"]
`,
};

/** The beginning of the configuration that `jobctl init` writes. */
export function initConfig(isService: boolean): string {
  const { store, mail } = isService ? SERVICE : PROJECT;
  return `# Configuration of jobctl. Every key: jobctl docs configuration
# Check it with: jobctl check --config config.toml

timezone = "UTC"              # zone of schedules that name none
modules = ["jobs"]            # directories of job modules: jobs/NAME.ts is the kind NAME

${store}
[server]
host = "127.0.0.1"
port = 59051                  # gRPC
http = "127.0.0.1:59052"      # dashboard, API, /healthz /readyz /metrics; "" turns it off

[worker]
count = 4                     # attempts that run at once

[defaults]                    # for every job; a job's own table overrides them
timeout = "1h"
retry = { max = 2, initial = "10s" }

# Mails failures, late runs and recoveries. More: jobctl docs notices
# [notices.ops]
# to = "mail"
${mail}
# Options for the module jobs/greet.ts.
[jobs.greet]
schedule = "*/5 * * * *"      # minute hour day month weekday
args = { name = "world" }
`;
}

/** Continuation of {@link initConfig}, except on Windows. */
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
