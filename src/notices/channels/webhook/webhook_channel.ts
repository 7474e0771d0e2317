import { createHmac } from "node:crypto";
import { bareHost } from "../../../core/address.ts";
import type { Notice } from "../../../core/notices/notice.ts";
import type { PresetName } from "../../../core/notices/presets.ts";
import type { ChannelSettings, ChannelTarget } from "../../../core/notices/settings.ts";
import { type Escape, fillNode, fillText, parseTemplate } from "../../../core/notices/template.ts";
import { loadCa } from "../../../platform/network/tls.ts";
import { VERSION } from "../../../platform/version.ts";
import { escapeHtml } from "../../render/html.ts";
import { noticePayload } from "../../render/payload.ts";
import { severityOf } from "../../render/severity.ts";
import { valuesOf } from "../../render/values.ts";
import {
  type ChannelDeps,
  type Deliverer,
  type DeliveryContext,
  DeliveryError,
  RETRY_AFTER_MS_MAX,
} from "../channel.ts";
import { httpCall, type HttpRequest, requestHead } from "./http_call.ts";
import type { HttpResponse } from "./http_response.ts";
import { type Preset, presetOf, type PresetPart } from "./presets.ts";

/** Redirects that are followed. */
const REDIRECTS_MAX = 3;
/** Redirect statuses that keep the method. Others may become GET, without the notice. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 307, 308]);
/** Statuses from 400 to 499 after which the same request may succeed. */
const TEMPORARY: ReadonlySet<number> = new Set([408, 425, 429]);
/** Quoted part of an answer in an error, in characters. */
const QUOTED_MAX = 200;

/** By an HTTP request. */
export interface WebhookTarget extends ChannelTarget {
  readonly to: "webhook";
  /** Without user information. */
  readonly url: string;
  /** True if the path is a secret too, as Slack's is. */
  readonly isUrlSecret: boolean;
  /** Null for the JSON of the notice, or {@link body}. */
  readonly preset: PresetName | null;
  /** Key or token that the preset needs; null for none. */
  readonly token: string | null;
  /** Chat that the preset needs; null for none. */
  readonly chat: string | null;
  /** Key of the signature; null for none. */
  readonly secret: string | null;
  /** In addition to those that every request has; names as written. */
  readonly headers: Readonly<Record<string, string>>;
  /** A template in place of the JSON of the notice; null for none. */
  readonly body: string | null;
  /** Host patterns that a redirect may lead to, in addition to the host of {@link url}. */
  readonly allowHosts: readonly string[];
  /** Allows addresses that are not public, and plain HTTP. */
  readonly allowPrivate: boolean;
  /** File of the authority that the server's certificate must be from; null for the system's. */
  readonly caFile: string | null;
}

/** Delivers by HTTP requests. */
export function createWebhookChannel(
  { name, target }: ChannelSettings<WebhookTarget>,
  deps: ChannelDeps,
): Deliverer {
  return {
    async deliver(notice, context) {
      await deliver(requestOf(name, target, { notice, deps }), { target, deps, context });
    },
    preview(notice) {
      const request = requestOf(name, target, { notice, deps });
      const text = `${requestHead(request).replaceAll("\r\n", "\n")}${request.body}\n`;
      return Promise.resolve(hideUrl(text, target));
    },
  };
}

/** Hide the secret key of a URL, and tokens, everywhere in a text. */
function hideUrl(text: string, { url, isUrlSecret, token }: WebhookTarget): string {
  const path = url.slice(new URL(url).origin.length);
  const shown = isUrlSecret && path.length > 1 ? text.replaceAll(path, "/***") : text;
  return token === null || token === "" ? shown : shown.replaceAll(token, "***");
}

function requestOf(
  channel: string,
  target: WebhookTarget,
  { notice, deps: { timezone, clock } }: { readonly notice: Notice; readonly deps: ChannelDeps },
): HttpRequest {
  const configured = new URL(target.url);
  const part: PresetPart = {
    severity: severityOf(notice),
    incident: notice.incident?.id ?? notice.id,
    token: target.token ?? "",
    chat: target.chat ?? "",
  };
  const preset = target.preset === null ? null : presetOf(target.preset);
  const { type, body } = bodyOf(target, { notice, channel, timezone, preset, part });
  const message = { id: notice.id, timestamp: Math.floor(clock.now().wallMs / 1_000), body };
  return {
    method: "POST",
    url: preset === null ? configured : preset.url(configured, part),
    headers: withHeaders({
      "User-Agent": `jobctl/${VERSION}`,
      "Content-Type": type,
      "Idempotency-Key": notice.id,
      ...messageHeaders(message),
      ...(target.secret === null
        ? {}
        : { "webhook-signature": signatureOf(target.secret, message) }),
      ...preset?.headers(part),
    }, target.headers),
    body,
  };
}

interface BodyParts {
  readonly notice: Notice;
  readonly channel: string;
  readonly timezone: string;
  readonly preset: Preset | null;
  readonly part: PresetPart;
}

function bodyOf(
  target: WebhookTarget,
  { notice, channel, timezone, preset, part }: BodyParts,
): { readonly type: string; readonly body: string } {
  const json = (value: unknown) => ({ type: "application/json", body: JSON.stringify(value) });
  if (preset === null && target.body === null) return json(noticePayload(notice, channel));
  const values = valuesOf(notice, { channel, timezone });
  if (preset !== null) {
    return json(fillNode(preset.body(part, new URL(target.url)), values, preset.escape));
  }
  const template = parseTemplate(target.body!);
  if (template.type === "json") return json(fillNode(template.node, values, (each) => each));
  const type = contentType(target.headers) ?? "text/plain; charset=utf-8";
  return { type, body: fillText(template.text, values, escapeFor(type)) };
}

function contentType(headers: WebhookTarget["headers"]): string | undefined {
  return Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type")?.[1];
}

/** Escaping of values in a template that is not JSON. */
function escapeFor(type: string): Escape {
  if (/x-www-form-urlencoded/i.test(type)) {
    return (character) => encodeURIComponent(wellFormed(character));
  }
  if (/json/i.test(type)) return (character) => JSON.stringify(character).slice(1, -1);
  return /html|xml/i.test(type) ? escapeHtml : (character) => character;
}

function wellFormed(character: string): string {
  return /^[\ud800-\udfff]$/.test(character) ? "\ufffd" : character;
}

/** Headers by names that differ in more than case. */
function withHeaders(
  own: Readonly<Record<string, string>>,
  given: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const names = new Set(Object.keys(given).map((name) => name.toLowerCase()));
  const kept = Object.entries(own).filter(([name]) => !names.has(name.toLowerCase()));
  return { ...Object.fromEntries(kept), ...given };
}

interface Delivery {
  readonly target: WebhookTarget;
  readonly deps: ChannelDeps;
  readonly context: DeliveryContext;
}

async function deliver(first: HttpRequest, delivery: Delivery): Promise<void> {
  const { target, deps: { clock, network }, context: { signal, log } } = delivery;
  const { allowPrivate } = target;
  const ca = target.caFile === null ? null : await loadCa(target.caFile, clock.now().wallMs);
  let request = first;
  for (let redirects = 0;; redirects++) {
    const response = await httpCall(request, { clock, signal, ca, network, allowPrivate });
    if (response.status >= 200 && response.status < 300) {
      log?.("info", `${request.url.host} responded with ${response.status}`);
      return;
    }
    if (!REDIRECTS.has(response.status)) {
      throw refusal(request.url.host, response, clock.now().wallMs);
    }
    if (redirects === REDIRECTS_MAX) {
      throw new DeliveryError(`${request.url.host} redirects more than ${REDIRECTS_MAX} times`);
    }
    request = redirected(request, response, target);
  }
}

/** The request after a redirect. @throws DeliveryError for a forbidden target */
function redirected(
  request: HttpRequest,
  { headers, status }: HttpResponse,
  target: WebhookTarget,
): HttpRequest {
  const refuse = (problem: string) =>
    new DeliveryError(`${request.url.host} redirects (${status}) ${problem}`, {
      isPermanent: true,
      hint: "Set url to the new address, or add its host to allow_hosts",
    });
  const location = headers.get("location") ?? "";
  if (location === "" || !URL.canParse(location, request.url)) {
    throw refuse("without a valid Location");
  }
  const url = new URL(location, request.url);
  const configured = new URL(target.url);
  if (!/^https?:$/.test(url.protocol)) throw refuse(`to ${url.protocol}`);
  if (request.url.protocol === "https:" && url.protocol === "http:") {
    throw refuse("from https to http");
  }
  if (!isAllowedHost(url.hostname, configured.hostname, target.allowHosts)) {
    throw refuse(`to ${url.hostname}, which is not allowed`);
  }
  url.username = "";
  url.password = "";
  if (url.origin === configured.origin) return { ...request, url };
  // Credentials are for the configured server alone.
  const given = new Set(Object.keys(target.headers).map((name) => name.toLowerCase()));
  const kept = Object.entries(request.headers).filter(([name]) =>
    /^content-type$/i.test(name) ||
    (!given.has(name.toLowerCase()) && !/^(?:authorization|x-gotify-key)$/i.test(name))
  );
  return { ...request, url, headers: Object.fromEntries(kept) };
}

function isAllowedHost(host: string, configured: string, patterns: readonly string[]): boolean {
  const name = bareHost(host).toLowerCase();
  if (name === bareHost(configured).toLowerCase()) return true;
  return patterns.some((pattern) =>
    pattern.startsWith("*.") ? name.endsWith(pattern.slice(1)) : name === pattern
  );
}

function refusal(host: string, response: HttpResponse, nowMs: number): DeliveryError {
  const { status, body } = response;
  const quoted = body.replaceAll(/\s+/g, " ").trim().slice(0, QUOTED_MAX);
  return new DeliveryError(
    `${host} responded with ${status}${quoted === "" ? "" : `: ${quoted}`}`,
    {
      isPermanent: status >= 300 && status < 500 && !TEMPORARY.has(status),
      retryAfterMs: retryAfter(response, nowMs),
    },
  );
}

/** The wait that an answer requests, in milliseconds; undefined without one. */
export function retryAfter(
  { headers, body, status }: HttpResponse,
  nowMs: number,
): number | undefined {
  const header = headers.get("retry-after");
  let found: number | undefined;
  if (header !== undefined) {
    found = /^\d+(?:\.\d+)?$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - nowMs;
  } else if (status === 429) {
    // Telegram and Discord put it into the body.
    const seconds = /"retry_after"\s*:\s*(\d+(?:\.\d+)?)/.exec(body)?.[1];
    found = seconds === undefined ? undefined : Number(seconds) * 1_000;
  }
  if (found === undefined || Number.isNaN(found)) return undefined;
  return Math.min(Math.max(0, Math.ceil(found)), RETRY_AFTER_MS_MAX);
}

/** Signed content. */
interface SignedMessage {
  readonly id: string;
  /** Epoch seconds. */
  readonly timestamp: number;
  readonly body: string;
}

/** The headers of Standard Webhooks that identify the message. */
function messageHeaders({ id, timestamp }: SignedMessage): Record<string, string> {
  return { "webhook-id": id, "webhook-timestamp": String(timestamp) };
}

/**
 * The value of `webhook-signature`, version 1 of Standard Webhooks: HMAC-SHA256.
 *
 * @param secret `whsec_` with the key in base64, or any other text as the key
 */
export function signatureOf(secret: string, { id, timestamp, body }: SignedMessage): string {
  const encoded = /^whsec_(.*)$/s.exec(secret)?.[1];
  const key = encoded === undefined ? Buffer.from(secret) : Buffer.from(encoded, "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
}
