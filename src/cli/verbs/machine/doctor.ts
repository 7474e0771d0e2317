import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Config } from "../../../config/config.ts";
import { GRPC_PORT_DEFAULT, hostPort, isLoopback } from "../../../core/address.ts";
import { isJobError, messageOf } from "../../../core/errors.ts";
import { countText } from "../../../core/text/count_text.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import type { FoundDaemon } from "../../../maintenance/doctor/facts.ts";
import type { Finding, Level } from "../../../maintenance/doctor/finding.ts";
import { VERSION } from "../../../platform/version.ts";
import type { ConnectOptions, JobClient } from "../../../rpc/client/client.ts";
import { EXIT } from "../../io/exit_codes.ts";
import type { Printer } from "../../output/printer.ts";
import type { Style } from "../../output/table.ts";
import type { PlainRecord } from "../../output/view.ts";
import { CONFIG_OPTION, configFileOf, serviceConfigFile } from "../../parsing/config_file.ts";
import type { FoundDaemon as FoundSettings } from "../../contexts/find_daemon.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { spoolFolder } from "../../wrap/spool.ts";

/** Exit codes by the worst finding; the second equals an invalid configuration's. */
const CODES = { ok: EXIT.ok, note: EXIT.ok, warning: EXIT.error, error: EXIT.usage } as const;
const STYLES: Readonly<Record<Level, Style | undefined>> = {
  ok: "good",
  note: undefined,
  warning: "warn",
  error: "bad",
};
const LEVELS: readonly Level[] = ["error", "warning", "note", "ok"];
/** Longest wait for one answer of the daemon, in ms. */
const CALL_MS_MAX = 600;
/** Status of gRPC: something took the connection, and did not answer. */
const DEADLINE_EXCEEDED = 4;
/** Longest text and remedy that people are shown. */
const TEXT_MAX = 500;

/** `jobctl doctor` */
export const DOCTOR: Verb = {
  name: "doctor",
  summary: "Check this machine and this installation, and say how to fix each problem",
  details: [
    "Looks at the configuration, daemon, unit, clock, time zones, store, disk, limits, nodes,",
    "tokens, permissions and listeners, and connects to mail servers and webhooks without sending",
    "anything. Changes nothing, and takes less than two seconds. Works with and without a daemon.",
    "Exit codes: 0 no warning, 1 warnings, 2 errors.",
  ].join(" "),
  options: {
    config: {
      value: "FILE",
      ...CONFIG_OPTION,
      describe: `${CONFIG_OPTION.describe.slice(0, -1)}, else /etc/jobctl/config.toml)`,
    },
    verbose: { describe: "Also show the checks that passed", isFlag: true },
  },
  examples: [
    ["jobctl doctor", "After an installation, or when something is wrong"],
    ["sudo jobctl doctor", "The installed service, including what only root can see"],
    ["jobctl doctor -o json", "Every check and its result, for a script"],
  ],
  needsNoConnection: true,
  async run(args, context) {
    const { io, printer } = context;
    const configFile = configFileOf(args, io.cwd) ?? serviceConfigFile();
    const { diagnose } = await import("../../../maintenance/doctor/doctor.ts");
    const { installedUnits, unitDrift } = await import("../../../tools/service/unit_drift.ts");
    const { unitSandbox } = await import("../../../tools/service/unit_sandbox.ts");
    const findings = await diagnose({
      configFile,
      env: io.env,
      cwd: io.cwd,
      clock: io.clock,
      version: VERSION,
      spool: spoolFolder(io.env),
      id: io.newId(),
      findDaemon: (config) => findDaemon(config, context),
      findUnits: () => unitDrift(),
      sandbox: configFile === null ? null : unitSandbox(resolve(io.cwd, configFile)),
      isService: installedUnits().length > 0 && existsSync("/run/systemd/system"),
    });
    const isVerbose = args.flag("verbose");
    await printer.details(
      recordOf(findings),
      worstOf(findings),
      linesOf(findings, { printer, isVerbose }),
    );
    const code = CODES[worstOf(findings)];
    // Nothing else can end a call that waits for a name server or a disk.
    io.end?.(code);
    return code;
  },
};

function worstOf(findings: readonly Finding[]): Level {
  return LEVELS.find((level) => findings.some((finding) => finding.level === level)) ?? "ok";
}

function recordOf(findings: readonly Finding[]): PlainRecord {
  return {
    worst: worstOf(findings),
    ...Object.fromEntries(
      LEVELS.map((level) => [`${level}s`.replace("oks", "ok"), countOf(findings, level)]),
    ),
    findings: findings.map(({ subject, level, text, remedy }) => ({
      subject,
      level,
      text,
      remedy: remedy ?? undefined,
    })),
  };
}

function linesOf(
  findings: readonly Finding[],
  { printer, isVerbose }: { readonly printer: Printer; readonly isVerbose: boolean },
): string[] {
  const shown = findings.filter(({ level }) => isVerbose || level !== "ok");
  const counts = LEVELS.filter((level) => level !== "ok" && countOf(findings, level) > 0)
    .map((level) => countText(countOf(findings, level), level));
  const problems = counts.length === 0 ? "No problems" : counts.join(", ");
  const hidden = isVerbose ? "" : " (--verbose shows them)";
  return [
    ...shown.map(({ subject, level, text, remedy }) => {
      const fix = remedy === null ? "" : `; fix: ${cut(remedy)}`;
      return `${printer.paint(`${level}:`, STYLES[level])} ${subject}: ${shownText(text)}${fix}`;
    }),
    `${problems}; ${countOf(findings, "ok")} ok${hidden}`,
  ];
}

function countOf(findings: readonly Finding[], level: Level): number {
  return findings.filter((finding) => finding.level === level).length;
}

/** A finding's text. Parts come from servers and nodes, so none may look like the fix after it. */
function shownText(text: string): string {
  return cut(text).replaceAll(/; fix:/gi, ", fix");
}

function cut(text: string): string {
  const visible = makeVisible(text);
  return visible.length <= TEXT_MAX ? visible : `${visible.slice(0, TEXT_MAX)}…`;
}

/** Query the daemon of the options, or else of the configuration. */
async function findDaemon(
  config: Config | null,
  { io, daemon }: VerbContext,
): Promise<FoundDaemon> {
  const connect = io.connect ?? (await import("../../../rpc/client/client.ts")).connect;
  let client: JobClient | null = null;
  let settings: ConnectOptions = {};
  let hasAnswered = false;
  try {
    settings = settingsOf(config, await daemon());
    client = await connect({ ...settings, timeoutMs: CALL_MS_MAX });
    // The first call also connects: only the others measure the store.
    await client.getVersion({});
    hasAnswered = true;
    return await ask(client, io);
  } catch (error) {
    if (hasAnswered && isJobError(error, "unavailable")) {
      return { type: "unknown", why: messageOf(error), remedy: error.hint, isFailing: true };
    }
    const { cause } = error as { readonly cause?: { readonly code?: unknown } };
    // The client sends nothing to a process of an unknown or foreign user.
    if (isJobError(cause, "unavailable")) {
      const why = messageOf(cause);
      return { type: "unknown", why, remedy: "sudo jobctl doctor", isForeign: true };
    }
    const isLate = cause?.code === DEADLINE_EXCEEDED;
    if (isLate) return late(settings);
    if (isJobError(error, "unavailable")) return { type: "none" };
    return { type: "unknown", why: messageOf(error) };
  } finally {
    client?.close();
  }
}

/** No answer: it may be the daemon, or a process that has taken its port. */
function late({ host, port = GRPC_PORT_DEFAULT, socket }: ConnectOptions): FoundDaemon {
  const isHere = host === undefined || isLoopback(host);
  const at = typeof socket === "string"
    ? `"${socket}"`
    : isHere
    ? `port ${port}`
    : hostPort(host, port);
  const why = `${at} did not answer in time`;
  if (!isHere || typeof socket === "string") return { type: "unknown", why };
  return { type: "unknown", why, remedy: `sudo ss -tanp "sport = :${port}", then jobctl status` };
}

function settingsOf(
  config: Config | null,
  { settings, isNamed }: FoundSettings,
): ConnectOptions {
  if (isNamed || config === null) return settings;
  const { port, socket, tls } = config.server;
  const hasToken = settings.token !== undefined || settings.tokenFile !== undefined;
  const path = socket === null || socket === "auto" || hasToken || !existsSync(socket)
    ? undefined
    : socket;
  return {
    ...settings,
    // Without a port, the socket is named after the default one.
    ...(port === 0 || port === null ? {} : { port }),
    ...(path === undefined ? {} : { socket: path }),
    // Its certificate is not for "localhost": without more options, only its socket is usable.
    ...(tls === null || settings.tls ? {} : { tls: null }),
  };
}

async function ask(client: JobClient, { clock }: VerbContext["io"]): Promise<FoundDaemon> {
  const connectedMs = clock.now().monotonicMs;
  const [status, { nodes }] = await Promise.all([client.getStatus({}), client.listNodes({})]);
  const latencyMs = clock.now().monotonicMs - connectedMs;
  return {
    type: "running",
    daemon: {
      ...status,
      latencyMs,
      storeProblem: status.storeProblem ?? null,
      reloadProblem: status.reloadProblem ?? null,
      workers: status.workers?.count ?? 0,
      missing: status.workers?.missing ?? 0,
      silent: status.workers?.silent ?? 0,
      disabled: status.disabled.map(({ kind }) => kind),
      nodes: nodes.map(({ pid, skewMs, ...node }) => ({
        ...node,
        pid: Number(pid),
        skewMs: skewMs === undefined ? null : Number(skewMs),
      })),
    },
  };
}
