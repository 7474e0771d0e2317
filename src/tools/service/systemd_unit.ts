import { checkServicePath, type ServiceSettings, STOP_SECONDS } from "./service_settings.ts";

/** Folders that `ProtectHome` hides. */
const HOMES = /^\/(?:home|root|run\/user)\//;
/** Quotes, backslashes and `$` have other meanings in the first word of a command line. */
const CARRIED = /^[^\p{Cc}"'\\$]+$/u;

/** The sandbox of a daemon without rights; docs/install.md says how a drop-in loosens it. */
const UNPRIVILEGED = [
  "# What jobs cannot do. They run as the daemon's user and get no other rights: sudo and programs with",
  "# setuid do not work. To give something back: systemctl edit jobctl.",
  "CapabilityBoundingSet=",
  "AmbientCapabilities=",
  "NoNewPrivileges=yes",
  "ProtectSystem=strict",
  "# A /tmp of their own. That of PrivateTmp= would be deleted at a restart, under commands that run on.",
  "CacheDirectory=jobctl jobctl/tmp",
  "CacheDirectoryMode=0700",
  "BindPaths=/var/cache/jobctl/tmp:/tmp /var/cache/jobctl/tmp:/var/tmp",
  "PrivateDevices=yes",
  "ProtectClock=yes",
  "ProtectHostname=yes",
  "ProtectKernelTunables=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelLogs=yes",
  "ProtectProc=invisible",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
  "LockPersonality=yes",
  "KeyringMode=private",
  "UMask=0027",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service",
  "# Without @privileged, but with chown to groups of one's own, which tar and cp use.",
  "SystemCallFilter=~@privileged",
  "SystemCallFilter=@chown",
  "SystemCallErrorNumber=EPERM",
];

/** The sandbox of a root daemon, whose jobs still change users and files. */
const ROOT = [
  "# What jobs cannot do, even as root: change the kernel, its devices, mounts, network and clock. To give",
  "# something back: systemctl edit jobctl-root.",
  "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL",
  "CapabilityBoundingSet=CAP_SETGID CAP_SETUID CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_SYS_NICE CAP_SYS_RESOURCE",
  "CapabilityBoundingSet=CAP_AUDIT_WRITE",
  "# To find the processes that jobs of other users leave behind.",
  "CapabilityBoundingSet=CAP_SYS_PTRACE",
  "ProtectClock=yes",
  "ProtectHostname=yes",
  "ProtectKernelTunables=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelLogs=yes",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
  "LockPersonality=yes",
  "KeyringMode=private",
  "UMask=0022",
  "SystemCallArchitectures=native",
  "SystemCallFilter=~@clock @cpu-emulation @debug @module @obsolete @raw-io @reboot @swap",
  "SystemCallErrorNumber=EPERM",
];

/** Name of the unit's file. */
export function systemdUnitName({ user }: ServiceSettings): string {
  return user === null ? "jobctl-root.service" : "jobctl.service";
}

/** The unit of a service. @throws JobError `invalid_argument` for a path that it cannot carry */
export function systemdUnit(settings: ServiceSettings): string {
  const { argv, config, user, data } = settings;
  const [program, ...words] = argv;
  const command = [
    ...[program!, ...words].map(word),
    "serve",
    "--config",
    word(config),
  ];
  return [
    "[Unit]",
    `Description=jobctl, a job scheduler${user === null ? " whose jobs run as any user" : ""}`,
    "Documentation=man:jobctl(1)",
    "Wants=network-online.target",
    "After=network-online.target nss-user-lookup.target time-sync.target",
    // The other one has the same folders, sockets and database.
    `Conflicts=${user === null ? "jobctl.service" : "jobctl-root.service"}`,
    "StartLimitIntervalSec=5min",
    "StartLimitBurst=10",
    "",
    "[Service]",
    "Type=notify",
    `NotifyAccess=${words.length === 0 ? "main" : "all"}`,
    ...(user === null ? [] : [`User=${user}`, `Group=${user}`, "Environment=XDG_RUNTIME_DIR=/run"]),
    `ExecStart=${command.join(" ")}`,
    "ExecReload=/bin/kill -HUP $MAINPID",
    "Restart=on-failure",
    "RestartSec=2",
    "# The scheduler's own loop feeds it.",
    "WatchdogSec=60",
    "TimeoutStartSec=10min",
    "# SIGTERM goes to the daemon alone, which asks systemd why. At a stop it drains, and ends what its jobs have",
    "# started; it asks for more time while a job whose drain is longer runs. At a restart, and if the daemon is",
    "# killed, commands run on until the next one adopts them, or their lease ends.",
    "KillMode=process",
    `TimeoutStopSec=${STOP_SECONDS}`,
    "# /etc/jobctl, /var/lib/jobctl and /run/jobctl, where the next daemon finds commands that run.",
    "ConfigurationDirectory=jobctl",
    "StateDirectory=jobctl",
    "StateDirectoryMode=0700",
    "RuntimeDirectory=jobctl",
    "RuntimeDirectoryPreserve=restart",
    ...(data === null || user === null ? [] : [`ReadWritePaths=${word(data)}`]),
    '# Secrets for { credential = "jobctl.NAME" }: files in /etc/credstore (systemd 254 and newer). For an older',
    "# systemd, or files elsewhere, add lines such as LoadCredential=jobctl.pg:/root/secrets/pg in a drop-in.",
    "ImportCredential=jobctl.*",
    "LimitNOFILE=65536",
    "# A control group for each command, so that none of its processes escapes. With systemd 254 and newer they",
    "# also bound memory.",
    "Delegate=memory",
    "DelegateSubgroup=daemon",
    "",
    ...(user === null ? ROOT : [`ProtectHome=${homeOf(settings)}`, ...UNPRIVILEGED]),
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}

function homeOf({ argv, config, data }: ServiceSettings): string {
  return [...argv, config, data ?? ""].some((path) => HOMES.test(path)) ? "read-only" : "yes";
}

function word(path: string): string {
  return systemdPath(checkServicePath(path, CARRIED, "systemd"));
}

/** A path as one word of a line: `%` begins a specifier, and a space ends a word. */
export function systemdPath(path: string): string {
  const text = path.replaceAll("%", "%%");
  return /^[\w./@%+:,=-]+$/.test(text) ? text : `"${text}"`;
}
