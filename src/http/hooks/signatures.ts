import { Buffer } from "node:buffer";
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { type HookForm, type JobHook, standardKey, TOKEN_HEADER } from "../../core/hooks/hook.ts";
import { formatDuration } from "../../core/time/duration.ts";

/** The parts of a request to a hook that its proof needs. */
export interface SignedRequest {
  readonly headers: IncomingHttpHeaders;
  /** The unchanged bytes as sent: they are signed. */
  readonly body: Uint8Array;
}

/** Result of checking that the sender of a request knows the secret. */
export type Verdict =
  | {
    readonly isRight: true;
    /** A text that identifies the delivery; null without one. */
    readonly delivery: string | null;
  }
  /** With the reason, for the log alone. */
  | { readonly isRight: false; readonly reason: string };

type Verifier = (hook: JobHook, request: SignedRequest, nowMs: number) => Verdict;

const VERIFIERS: Readonly<Record<HookForm, Verifier>> = {
  github: verifyGithub,
  stripe: verifyStripe,
  standard: verifyStandard,
  token: verifyToken,
};

/** Most signatures of one request that are compared. */
const SIGNATURES_MAX = 20;
const WRONG =
  "the signature is not that of the secret: the secrets differ, or a proxy has changed " +
  "the body";

/** Verify a request. @param nowMs the current time, epoch ms */
export function verify(hook: JobHook, request: SignedRequest, nowMs: number): Verdict {
  return VERIFIERS[hook.form](hook, request, nowMs);
}

// The header with the id of a delivery is not signed: anyone who has seen a delivery could send it
// again under another id. So the body names it.
function verifyGithub({ secrets }: JobHook, { headers, body }: SignedRequest): Verdict {
  const header = textOf(headers, "x-hub-signature-256");
  if (header === undefined) {
    const isUnsigned = textOf(headers, "x-github-event") !== undefined;
    return wrong(
      isUnsigned
        ? "there is no header x-hub-signature-256: the webhook has no secret at GitHub"
        : "there is no header x-hub-signature-256",
    );
  }
  const hex = /^sha256=([\da-fA-F]{64})$/.exec(header)?.[1];
  if (hex === undefined) return wrong("the header x-hub-signature-256 is not sha256=HEX");
  const given = Buffer.from(hex, "hex");
  const isRight = isAny(secrets.map((secret) => hmac(secret, body)), [given]);
  return isRight ? right(`body ${hashOf(body)}`) : wrong(WRONG);
}

function verifyStripe(hook: JobHook, { headers, body }: SignedRequest, nowMs: number): Verdict {
  const header = textOf(headers, "stripe-signature");
  if (header === undefined) return wrong("there is no header stripe-signature");
  const parts = header.split(",").map((part) => part.trim().split("="));
  const valuesOf = (name: string) => parts.flatMap(([key, value]) => key === name ? [value!] : []);
  const [times, signatures] = [valuesOf("t"), valuesOf("v1")];
  const [time] = times;
  if (times.length !== 1 || !isTime(time)) {
    return wrong("the header stripe-signature does not have one time, as t=SECONDS");
  }
  const given = signatures.filter((text) => /^[\da-fA-F]{64}$/.test(text ?? ""));
  if (given.length === 0) return wrong("the header stripe-signature has no v1=HEX");
  return verifyTimed(hook, {
    wanted: hook.secrets.map((secret) => hmac(secret, `${time}.`, body)),
    given: given.map((text) => Buffer.from(text, "hex")),
    time,
    nowMs,
    // Each attempt to deliver an event has its own time and signature.
    delivery: `${time} ${hashOf(body)}`,
  });
}

function verifyStandard(hook: JobHook, { headers, body }: SignedRequest, nowMs: number): Verdict {
  // Svix, the origin of the form, also sends its headers under its own name.
  const prefix =
    headers["webhook-signature"] === undefined && headers["svix-signature"] !== undefined
      ? "svix"
      : "webhook";
  const [id, time, header] = ["id", "timestamp", "signature"]
    .map((name) => textOf(headers, `${prefix}-${name}`));
  if (!id || !time || header === undefined) {
    return wrong("there are no headers webhook-id, webhook-timestamp and webhook-signature");
  }
  if (!isTime(time)) return wrong(`the header ${prefix}-timestamp is not a number of seconds`);
  // The time begins at its end. Otherwise a part of a body could pass for id and time.
  if (id.includes(".")) return wrong(`the header ${prefix}-id has a full stop`);
  const given = header.split(" ").flatMap((text) =>
    /^v1,([A-Za-z0-9+/]{43}=?)$/.exec(text)?.[1] ?? []
  );
  if (given.length === 0) {
    return wrong(
      /\bv1a,/.test(header)
        ? "it is signed with a private key (v1a), wanted a shared secret (v1)"
        : `the header ${prefix}-signature has no v1,BASE64`,
    );
  }
  // The bytes of a header are characters here.
  const signed = Buffer.from(`${id}.${time}.`, "latin1");
  return verifyTimed(hook, {
    wanted: hook.secrets.map((secret) => hmac(standardKey(secret) ?? "", signed, body)),
    given: given.map((text) => Buffer.from(text, "base64")),
    time,
    nowMs,
    delivery: id,
  });
}

function verifyToken({ header: name, secrets }: JobHook, { headers }: SignedRequest): Verdict {
  const header = textOf(headers, name);
  if (header === undefined) return wrong(`there is no header ${name}`);
  const token = name === TOKEN_HEADER ? /^bearer +(.+)$/i.exec(header)?.[1] : header;
  if (token === undefined) return wrong(`the header ${name} is not "Bearer TOKEN"`);
  // Equal lengths, so that the comparison does not reveal the secret's length.
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const given = [digest(Buffer.from(token, "latin1").toString("utf8"))];
  if (!isAny(secrets.map(digest), given)) return wrong(`the token in the header ${name} is wrong`);
  const id = textOf(headers, "idempotency-key") ?? textOf(headers, "webhook-id");
  return right(id ? `id ${id}` : null);
}

function verifyTimed(
  { replayWindowMs }: JobHook,
  { wanted, given, time, nowMs, delivery }: {
    readonly wanted: readonly Buffer[];
    readonly given: readonly Buffer[];
    /** In seconds. */
    readonly time: string;
    readonly nowMs: number;
    readonly delivery: string;
  },
): Verdict {
  if (!isAny(wanted, given)) return wrong(WRONG);
  const ageMs = nowMs - Number(time) * 1_000;
  if (Math.abs(ageMs) <= replayWindowMs) return right(delivery);
  const age = formatDuration(Math.abs(Math.round(ageMs)));
  const when = ageMs > 0 ? `${age} ago` : `${age} ahead of the clock of this host`;
  return wrong(`it was signed ${when}, and replay_window is ${formatDuration(replayWindowMs)}`);
}

function right(delivery: string | null): Verdict {
  return { isRight: true, delivery };
}

function wrong(reason: string): Verdict {
  return { isRight: false, reason };
}

function hmac(key: string | Uint8Array, ...parts: readonly (string | Uint8Array)[]): Buffer {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** True if one of the signatures is right; compares all of them. */
function isAny(wanted: readonly Buffer[], given: readonly Buffer[]): boolean {
  let isRight = false;
  for (const one of given.slice(0, SIGNATURES_MAX)) {
    for (const other of wanted) {
      if (one.length === other.length && timingSafeEqual(one, other)) isRight = true;
    }
  }
  return isRight;
}

function isTime(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,12}$/.test(text);
}

function textOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

function hashOf(body: Uint8Array): string {
  return createHash("sha256").update(body).digest("hex");
}
