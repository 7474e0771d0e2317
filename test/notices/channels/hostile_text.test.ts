import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Notice } from "../../../src/core/notices/notice.ts";
import { PRESET_NAMES } from "../../../src/core/notices/presets.ts";
import { MAIL_STYLES, type MailTarget } from "../../../src/core/notices/settings.ts";
import { channelFor, hookTo } from "../../support/notices/channel_world.ts";
import { parseMail } from "../../support/notices/parsed_mail.ts";
import { sampleNotice } from "../../support/notices/sample_notices.ts";

// Texts that jobs and callers choose: names, errors, output. Whatever they are, a message keeps its
// shape.

const PIECES = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  "\u2028",
  "\u0085",
  "\ud800",
  ": ",
  "Bcc: eve@example.com",
  "=?UTF-8?B?DQpCY2M6IGE=?=",
  "<script>",
  "```",
  "{{title}}",
  "@channel",
  "&",
  '"',
  "--",
  ".",
  "é",
  "😀",
  "x".repeat(300),
];
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((pieces) => pieces.join("")),
);
const notice: fc.Arbitrary<Notice> = fc.record({
  title: text,
  name: text,
  host: text,
  facts: fc.array(text, { maxLength: 3 }),
  output: fc.array(text, { maxLength: 5 }),
  command: text,
  line: text,
}).map(({ title, name, host, facts, output, command, line }) =>
  sampleNotice({
    ...{ title, host, facts, output, command },
    type: "output",
    subject: { type: "job", name },
    cron: { user: name, line, env: { A: line } },
  })
);

const MAIL: MailTarget = {
  to: "mail",
  from: "jobctl@example.com",
  recipients: ["ops@example.com"],
  style: "notice",
  transport: { type: "sendmail", path: "/usr/sbin/sendmail" },
};

for (const style of MAIL_STYLES) {
  test(`preview() shows a mail of style ${style} with no other header, whatever its texts are`, async () => {
    const channel = channelFor({ ...MAIL, style });
    const headersOf = async (given: Notice) => {
      const preview = await channel.preview(given);
      const mail = preview.slice(preview.indexOf("\n\n") + 2);
      const { headers, text: body } = parseMail(mail);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(mail.slice(0, mail.indexOf("\n\n")), /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
      assert.equal(headers.get("to"), "ops@example.com");
      if (style === "notice") assert.match(body, /\n-- \n/);
      return [...headers.keys()].filter((name) => !name.startsWith("content-"));
    };
    const cron = { user: "a", line: "b", env: { A: "c" } };
    const usual = new Set(await headersOf(sampleNotice({ type: "output", cron })));
    await fc.assert(
      fc.asyncProperty(notice, async (given) => {
        // Those of empty texts are left out.
        const others = (await headersOf(given)).filter((name) => !usual.has(name));
        assert.deepEqual(others, []);
      }),
      { numRuns: 200 },
    );
  });
}

test("preview() shows requests of every preset with valid JSON of bounded size, whatever the texts are", async () => {
  const channels = PRESET_NAMES.map((preset) =>
    channelFor(hookTo("https://hooks.example.com/topic", { preset, token: "tok-123", chat: "1" }))
  );
  await fc.assert(
    fc.asyncProperty(notice, async (given) => {
      for (const channel of channels) {
        const [head = "", ...body] = (await channel.preview(given)).split("\n\n");
        assert.doesNotMatch(head, /Bcc/);
        assert.equal(typeof JSON.parse(body.join("\n\n")), "object");
      }
    }),
    { numRuns: 100 },
  );
});

test("preview() shows one frame of syslog, whatever the texts are", async () => {
  const channel = channelFor({
    to: "syslog",
    address: { type: "udp", host: "127.0.0.1", port: 514 },
    facility: "daemon",
  });
  await fc.assert(
    fc.asyncProperty(notice, async (given) => {
      const [, ...frame] = (await channel.preview(given)).trimEnd().split("\n");
      assert.equal(frame.length, 1);
      assert.match(
        frame[0]!,
        /^<30>1 2026-01-15T09:30:00\.000Z \S{1,255} jobctl - output \[jobctl@32473 [^\p{Cc}]*\] /u,
      );
    }),
    { numRuns: 200 },
  );
});

test("preview() shows variables of a program without control characters, whatever the texts are", async () => {
  const channel = channelFor({ to: "exec", command: ["/usr/bin/page"], env: {} });
  const error = fc.record({ name: text, message: text });
  await fc.assert(
    fc.asyncProperty(notice, error, text, async (given, thrown, version) => {
      const run = { ...given.run!, error: thrown, version };
      const [, variables = ""] = /^([^]*?)\n\/usr\/bin\/page\n\n/.exec(
        await channel.preview({ ...given, run, node: given.host }),
      ) ?? [];
      assert.match(variables, /^JOBCTL_ERROR=/m);
      // Lines may break, and lines of output have tabs.
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(variables, /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]/);
    }),
    { numRuns: 200 },
  );
});
