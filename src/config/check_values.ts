import { statSync } from "node:fs";
import { isLoopback } from "../core/address.ts";
import type { Config } from "./config.ts";
import type { KEYS } from "./keys.ts";
import { checkPublicUrl } from "./notices/notice_url.ts";
import { optionValues } from "./option_keys.ts";
import type { Values } from "./values/schema.ts";
import { reasonOf } from "./values/secrets.ts";
import { checkPair, checkStore } from "./store_keys.ts";
import { childOf, type Field, type Report } from "./values/source.ts";

type AllValues = Values<typeof KEYS>;
type Fields = ReadonlyMap<string, Field>;

/** Check what concerns several keys at once, or the disk. */
export function checkConfigValues(values: AllValues, fields: Fields, report: Report): void {
  checkModules(values, fields, report);
  checkStore(values, fields, report);
  checkTls(values, fields, report);
  checkExposure(values, fields, report);
  checkNames(values, fields, report);
  checkPorts(values, fields, report);
  checkSite(values, fields, report);
  checkTokens(values, fields, report);
  checkHeartbeat(values, fields, report);
  const field = fields.get("defaults.retry.initial") ?? fields.get("defaults.retry.cap");
  const { "retry.initialMs": initialMs, "retry.capMs": capMs } = optionValues(
    values,
    "option",
    "defaults.",
  );
  if (field !== undefined && initialMs as number > (capMs as number)) {
    report.value(field, "defaults.retry.initial is longer than defaults.retry.cap");
  }
}

function checkModules(values: AllValues, fields: Fields, report: Report): void {
  const field = fields.get("modules");
  if (field === undefined) return;
  values.modules.forEach((directory, index) => {
    const at = Array.isArray(field.value) ? childOf(field, index, field.value[index]) : field;
    try {
      if (statSync(directory).isDirectory()) return;
      report.value(at, `"${directory}" is not a directory`);
    } catch (error) {
      report.value(at, `cannot read the directory "${directory}": ${reasonOf(error)}`);
    }
  });
}

function checkTls(values: AllValues, fields: Fields, report: Report): void {
  checkPair("server.tls", fields, report);
  const cert = fields.get("server.tls.cert");
  const clientCa = fields.get("server.tls.client_ca");
  const mode = fields.get("server.auth.mode");
  if (clientCa !== undefined && cert === undefined) {
    report.key(clientCa, "server.tls.cert and server.tls.key are missing");
  }
  const isMutual = values["server.auth.mode"] === "mtls";
  if (isMutual && clientCa === undefined && mode !== undefined) {
    report.value(mode, '"mtls" needs server.tls.client_ca', "Name the authority of the clients");
  }
  const revoked = fields.get("server.tls.revoked");
  if (revoked !== undefined && clientCa === undefined) {
    const key = ["server", "tls", "client_ca"];
    report.missing(
      revoked,
      key,
      "server.tls.client_ca is missing",
      "No client shows a certificate",
    );
  }
  const clients = fields.get("server.auth.clients");
  if (clients !== undefined && !isMutual) {
    report.warn(clients, 'has no effect while server.auth.mode is not "mtls"');
  }
}

/** Settings that would be accepted but have no effect. */
function checkNames(values: AllValues, fields: Fields, report: Report): void {
  const role = fields.get("server.socket_role");
  if (role !== undefined && !fields.has("server.socket_group")) {
    report.warn(role, "has no effect without server.socket_group");
  }
  checkEach("server.http_hosts", {
    isRight: (host) => /^[\w.-]+$/.test(host),
    wanted: "a host name without scheme or port",
  });
  checkEach("server.http_origins", {
    isRight: isOrigin,
    wanted: "an origin in lower case, such as https://ops.example, without a path",
  });

  function checkEach(
    key: "server.http_hosts" | "server.http_origins",
    { isRight, wanted }: {
      readonly isRight: (text: string) => boolean;
      readonly wanted: string;
    },
  ): void {
    const field = fields.get(key);
    if (field === undefined) return;
    values[key].forEach((text, index) => {
      if (isRight(text)) return;
      const at = Array.isArray(field.value) ? childOf(field, index, field.value[index]) : field;
      report.value(at, `found "${text}", wanted ${wanted}`);
    });
  }
}

/** True for an origin exactly as browsers write it. */
function isOrigin(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

function checkExposure(values: AllValues, fields: Fields, report: Report): void {
  if (values["server.allow_insecure"]) return;
  // Apparent insecurity may follow from these problems, and is refused all the same.
  if (report.problems.some(({ path }) => /^server\.(?:tls|auth)\./.test(path))) return;
  const host = fields.get("server.host");
  const hasTls = fields.has("server.tls.cert") && fields.has("server.tls.key");
  const isSafe = hasTls && values["server.auth.mode"] !== "none";
  if (host !== undefined && !isSafe && !isLoopback(values["server.host"])) {
    report.value(
      host,
      `other hosts can reach "${values["server.host"]}" without TLS and authentication`,
      "Set server.tls and server.auth, or server.allow_insecure = true",
    );
  }
  const http = fields.get("server.http");
  const address: Config["server"]["http"] = values["server.http"];
  if (http !== undefined && !isSafe && address !== null && !isLoopback(address.host)) {
    report.value(
      http,
      `other hosts can reach "${address.host}" without TLS and authentication`,
      "Bind it to 127.0.0.1, set server.tls and server.auth, or server.allow_insecure = true",
    );
  }
}

function checkSite(values: AllValues, fields: Fields, report: Report): void {
  const field = fields.get("server.base_path");
  const [basePath, publicUrl] = [values["server.base_path"], values["server.public_url"]];
  if (field === undefined || basePath === null || publicUrl === null) return;
  const { pathname } = new URL(publicUrl);
  if (pathname === "/" || pathname === basePath || `${pathname}/` === basePath) return;
  report.value(
    field,
    `found "${basePath}", but the path of server.public_url is "${pathname}"`,
    "Leave server.base_path out",
  );
}

function checkPorts(values: AllValues, fields: Fields, report: Report): void {
  const http: Config["server"]["http"] = values["server.http"];
  const port = values["server.port"];
  const off = fields.get("server.port");
  if (port === null && http === null && values["server.socket"] === null && off !== undefined) {
    report.warn(
      off,
      "server.port, server.http and server.socket are off: nobody can call the daemon",
    );
  }
  if (http === null || port === 0 || http.port !== port) return;
  const field = fields.get("server.http") ?? fields.get("server.port");
  if (field !== undefined) report.value(field, `server.http and server.port are both ${port}`);
}

function checkTokens(values: AllValues, fields: Fields, report: Report): void {
  const field = fields.get("server.auth.tokens");
  if (field === undefined || !Array.isArray(field.value)) return;
  const names = new Map<string, number>();
  values["server.auth.tokens"].forEach(({ name }, index) => {
    const first = names.get(name);
    if (first === undefined) names.set(name, index);
    else report.value(childOf(field, index, null), `the name "${name}" is taken by token ${first}`);
  });
}

function checkHeartbeat(values: AllValues, fields: Fields, report: Report): void {
  const field = fields.get("heartbeat.url");
  const url = values["heartbeat.url"];
  if (field === undefined || url === null) {
    const other = fields.get("heartbeat.every") ?? fields.get("heartbeat.allow_private");
    if (other !== undefined) report.warn(other, "has no effect without heartbeat.url");
    return;
  }
  checkPublicUrl(new URL(url), {
    field,
    allowPrivate: values["heartbeat.allow_private"],
    report,
  });
}
