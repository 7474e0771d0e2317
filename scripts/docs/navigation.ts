/** A page in the navigation of the site. */
export interface Entry {
  readonly text: string;
  /** Below docs/, without `.md`. */
  readonly page: string;
}

/** Pages under one heading. */
export interface Group {
  readonly text: string;
  readonly entries: readonly Entry[];
}

/** The pages of docs/, in the order in which the site lists them. */
export const NAVIGATION: readonly Group[] = [
  {
    text: "Start",
    entries: [
      { text: "Install", page: "install" },
      { text: "Tutorial", page: "tutorial" },
      { text: "Concepts", page: "concepts" },
      { text: "Glossary", page: "glossary" },
      { text: "Questions", page: "faq" },
    ],
  },
  {
    text: "How to",
    entries: [
      { text: "Everyday commands", page: "howto/everyday" },
      { text: "A backup that must not overlap", page: "howto/backup" },
      { text: "Limits for each customer", page: "howto/limits" },
      { text: "One job after another", page: "howto/chain" },
      { text: "Work in steps", page: "howto/flows" },
      { text: "A job that needs a secret", page: "howto/secrets" },
      { text: "A web application that schedules", page: "howto/web-app" },
      { text: "Deploy", page: "howto/deploy" },
      { text: "Upgrade", page: "howto/upgrade" },
      { text: "Move to ts-job", page: "howto/move" },
      { text: "Monitor", page: "howto/monitor" },
    ],
  },
  {
    text: "Jobs",
    entries: [
      { text: "Write jobs", page: "jobs" },
      { text: "Coming from cron", page: "cron" },
      { text: "Notices", page: "notices" },
      { text: "Hooks", page: "hooks" },
      { text: "External jobs", page: "external" },
      { text: "Dashboard", page: "dashboard" },
    ],
  },
  {
    text: "On a server",
    entries: [
      { text: "Operations", page: "operations" },
      { text: "Troubleshooting", page: "troubleshooting" },
      { text: "Monitoring", page: "monitoring" },
      { text: "Security", page: "security" },
    ],
  },
  {
    text: "Reference",
    entries: [
      { text: "Configuration", page: "configuration" },
      { text: "Commands", page: "cli" },
      { text: "JSON over HTTP", page: "http" },
      { text: "gRPC", page: "api" },
      { text: "Clients", page: "clients" },
      { text: "Library", page: "library" },
      { text: "Stores", page: "stores" },
      { text: "Guarantees", page: "guarantees" },
      { text: "Performance", page: "performance" },
      { text: "Architecture", page: "architecture" },
    ],
  },
];
