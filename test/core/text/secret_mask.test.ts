import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { inspect } from "node:util";
import {
  encodeError,
  ERROR_MESSAGE_BYTES_MAX,
  ERROR_STACK_BYTES_MAX,
} from "../../../src/core/arguments/encode.ts";
import { SecretMask } from "../../../src/core/text/secret_mask.ts";

const SECRET = `pa's "w\\rd/+?&<ä> 中 0123456789`;

/** How programs write a text. */
const TEXT_FORMS: Readonly<Record<string, (text: string) => string>> = {
  "as it stands": (text) => `a ${text} b`,
  "in JSON": (text) => JSON.stringify({ a: text }),
  "in JSON in JSON": (text) => JSON.stringify({ a: JSON.stringify([text]) }),
  "in JSON of ASCII": (text) =>
    JSON.stringify(text).replaceAll(
      /[\u0080-\uffff]/g,
      (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
    ),
  "in JSON as PHP writes it": (text) => JSON.stringify(text).replaceAll("/", "\\/"),
  "in JSON as Go writes it": (text) =>
    JSON.stringify(text).replaceAll("<", "\\u003c").replaceAll(">", "\\u003e").replaceAll(
      "&",
      "\\u0026",
    ),
  "in a URL": (text) => `http://h/?p=${encodeURIComponent(text)}&q=1`,
  "in a URL with small digits": (text) =>
    encodeURIComponent(text).replaceAll(/%../g, (code) => code.toLowerCase()),
  "in a form": (text) => new URLSearchParams({ a: text }).toString(),
  "in a path": (text) => encodeURI(text),
  "in an object that is shown": (text) => inspect({ a: text, b: `"'` }),
  "in a URL as Python writes it": (text) =>
    encodeURIComponent(text).replaceAll("'", "%27").replaceAll("%2F", "/"),
  "in a path as Go writes it": (text) =>
    encodeURIComponent(text).replaceAll("'", "%27").replaceAll("%26", "&").replaceAll("%2B", "+"),
  "in HTML": (text) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;").replaceAll("'", "&#x27;"),
  "in XML of ASCII": (text) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
      .replaceAll(/[\u0080-\uffff]/g, (one) => `&#${one.charCodeAt(0)};`),
  "in HTML of ASCII": (text) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;").replaceAll("'", "&#39;")
      .replaceAll(/[\u0080-\uffff]/g, (one) => `&#x${one.charCodeAt(0).toString(16)};`),
  "between double quotes of a shell": (text) =>
    `declare -x A="${text.replaceAll(/["$`\\]/g, "\\$&")}"`,
  "in a shell without quotes": (text) => text.replaceAll(/[ "'\\?&<>]/g, "\\$&"),
  "in JSON of ASCII twice": (text) =>
    JSON.stringify(
      JSON.stringify(text).replaceAll(
        /[\u0080-\uffff]/g,
        (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
      ),
    ),
  "in a trace of bash": (text) => `+ echo '${text.replaceAll("'", `'\\''`)}'`,
};

for (const [name, write] of Object.entries(TEXT_FORMS)) {
  test(`SecretMask replaces a secret ${name}`, () => {
    assert.equal(
      new SecretMask([SECRET]).text(write(SECRET)).replaceAll("`***`", "'***'"),
      write("***"),
    );
  });
}

const BINARY_FORMS: Readonly<Record<string, (text: string) => string>> = {
  "in base64": (text) => Buffer.from(text).toString("base64"),
  "in base64 one byte in": (text) => Buffer.from(`x${text}y`).toString("base64"),
  "in base64 two bytes in": (text) => Buffer.from(`xy${text}z`).toString("base64"),
  "in base64url": (text) => Buffer.from(`x${text}`).toString("base64url"),
  "in hexadecimal digits": (text) => Buffer.from(text).toString("hex"),
  "in capital hexadecimal digits": (text) => Buffer.from(text).toString("hex").toUpperCase(),
};

for (const [name, write] of Object.entries(BINARY_FORMS)) {
  test(`SecretMask replaces a secret ${name}`, () => {
    const masked = new SecretMask([SECRET]).text(write(SECRET));
    // What its neighbors have a part in stays: up to three characters on each side, and padding.
    assert.match(masked, /^.{0,3}\*\*\*.{0,5}$/);
  });
}

test("SecretMask replaces what base64 breaks into lines", () => {
  const secret = "k".repeat(30) + Array.from({ length: 200 }, (_, index) => index).join("-");
  const mask = new SecretMask([secret]);
  for (const columns of [64, 76]) {
    const lines = Buffer.from(`${secret}\n`).toString("base64")
      .match(new RegExp(`.{1,${columns}}`, "g"))!;
    // The rest of the last line may be too short.
    for (const line of lines.slice(0, -1)) assert.equal(mask.text(line), "***");
  }
});

test("SecretMask replaces each line of a secret of several lines, and what is as long as a file", () => {
  const key = Buffer.from(Array.from({ length: 1_200 }, (_, index) => index * 7 % 251))
    .toString("base64");
  const lines = key.match(/.{1,64}/g)!;
  const pem = ["-----BEGIN PRIVATE KEY-----", ...lines, "-----END PRIVATE KEY-----"].join("\n");
  const mask = new SecretMask([pem, `jwt.${key}`]);
  for (const line of lines) assert.equal(mask.text(`> ${line}`), "> ***");
  assert.equal(mask.text("-----BEGIN PRIVATE KEY-----"), "-----BEGIN PRIVATE KEY-----");
  assert.equal(mask.text(`jwt.${key}`), "***");
  assert.equal(
    mask.text(Buffer.from(pem).toString("base64")).replaceAll(/\*+/g, "").length < 120,
    true,
  );
});

test("SecretMask replaces the password of a URL that is a secret", () => {
  const mask = new SecretMask(["postgres://app:p%40ssw0rd-1@db/app"]);
  assert.equal(mask.text("postgres: p@ssw0rd-1, p%40ssw0rd-1"), "postgres: ***, ***");
});

test("SecretMask replaces secrets that overlap or stand in each other", () => {
  const mask = new SecretMask(["abcdefgh", "fghijklm", "cdefgh-and-more"]);
  assert.equal(mask.text("1 abcdefghijklm 2 cdefgh-and-more 3 abcdefgh"), "1 *** 2 *** 3 ***");
});

test("SecretMask leaves secrets of five characters and parts of longer ones", () => {
  const mask = new SecretMask(["short", "sixsix", "0123456789"]);
  assert.equal(mask.text("short sixsix 012345678 0123456789"), "short *** 012345678 ***");
});

test("SecretMask keeps JSON valid, and its numbers exact, when a secret holds its syntax or is a number", () => {
  const mask = new SecretMask([`","x":"`, "12345678", "secret-key"]);
  const json =
    `{"a":"b","x":"c","n":12345678,"big":9007199254740993,"secret-key":["\\",\\"x\\":\\""]}`;
  assert.deepEqual(
    mask.json(json),
    `{"a":"b","x":"c","n":"***","big":9007199254740993,"***":["***"]}`,
  );
  assert.equal(new SecretMask().json(json), json);
});

test("encodeError() leaves no part of a secret where it cuts", () => {
  const secret = "0123456789abcdefghijklmnopqrstuvwxyz";
  const mask = new SecretMask([secret]);
  for (const limit of [200, ERROR_MESSAGE_BYTES_MAX, ERROR_STACK_BYTES_MAX]) {
    for (let before = limit - 40; before < limit + 2; before++) {
      const text = "-".repeat(before) + secret + "-".repeat(40);
      const thrown = Object.assign(new Error(text), { name: text, stack: text });
      const { name, message, stack } = encodeError(thrown, mask);
      const { message: plain } = encodeError(text, mask);
      assert.doesNotMatch(name + message + stack + plain, /0|z/, `${before} of ${limit}`);
    }
  }
});

test("SecretMask.error() replaces secrets in every member", () => {
  const error = { name: "secret-1", message: "a secret-1", stack: "secret-1", signal: "secret-1" };
  assert.deepEqual(new SecretMask(["secret-1"]).error({ ...error, exitCode: 1 }), {
    name: "***",
    message: "a ***",
    stack: "***",
    signal: "***",
    exitCode: 1,
  });
});

test("SecretMask.cutBefore() moves a cut to the beginning of the secret that it goes through", () => {
  const mask = new SecretMask(["sécret-0"]);
  const bytes = Buffer.from("ab sécret-0 cd").toString("latin1");
  const cuts = Array.from({ length: bytes.length }, (_, at) => mask.cutBefore(bytes, at));
  assert.deepEqual(cuts, [0, 1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 12, 13, 14]);
});

test("SecretMask finds a thousand secrets in a megabyte of text in little time", () => {
  const mask = new SecretMask(
    Array.from({ length: 1_000 }, (_, index) => `token-${index}-${(index * 7_919).toString(36)}`),
  );
  const text = "a line of a log with token- in it, as they are: ".repeat(20_000);
  mask.text("warm up");
  const startMs = performance.now();
  assert.equal(mask.text(text), text);
  assert.ok(performance.now() - startMs < 2_000);
});
