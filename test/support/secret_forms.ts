import { Buffer } from "node:buffer";

/**
 * How a text may look in output: the forms that a search for leaked secrets looks for, whatever the
 * product knows of.
 */
export function leakForms(secret: string): Readonly<Record<string, string>> {
  const bytes = Buffer.from(secret);
  // In the middle of base64 nothing depends on what stands around it.
  const inBase64 = (before: number) =>
    Buffer.concat([Buffer.alloc(before), bytes]).toString("base64").slice(4, -4);
  const json = JSON.stringify(secret).slice(1, -1);
  return {
    plain: secret,
    json,
    "json in json": JSON.stringify(json).slice(1, -1),
    url: encodeURIComponent(secret),
    form: new URLSearchParams({ a: secret }).toString().slice(2),
    hex: bytes.toString("hex"),
    base64: inBase64(0),
    "base64 one in": inBase64(1),
    "base64 two in": inBase64(2),
    base64url: inBase64(0).replaceAll("+", "-").replaceAll("/", "_"),
    "first half": secret.slice(0, Math.ceil(secret.length / 2)),
    "second half": secret.slice(Math.floor(secret.length / 2)),
  };
}

/** The forms of the secrets, by name, that `text` shows. */
export function findLeaks(text: string, secrets: Readonly<Record<string, string>>): string[] {
  return Object.entries(secrets).flatMap(([name, secret]) =>
    Object.entries(leakForms(secret)).filter(([, form]) => text.includes(form))
      .map(([form]) => `${name}: ${form}`)
  );
}
