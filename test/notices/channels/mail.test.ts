import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type ParsedMail, parseMail } from "../../support/notices/parsed_mail.ts";
import { type MailServerOptions, withMailServer } from "../../support/notices/mail_server.ts";
import type { MailTarget, SmtpTransport } from "../../../src/core/notices/settings.ts";
import {
  channelFor,
  deliver,
  failureOf,
  withTcpServer,
} from "../../support/notices/channel_world.ts";
import {
  INCIDENT_ID,
  NOTICE_ID,
  sampleDigest,
  sampleNotice,
} from "../../support/notices/sample_notices.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { tlsFile } from "../../support/tls_files.ts";

const LOGIN = { user: "jobs", password: "pass word" };

function mailTo(port: number, changes: Partial<SmtpTransport> = {}): MailTarget {
  return {
    to: "mail",
    from: "jobctl@example.com",
    recipients: ["ops@example.com", "dev@example.com"],
    style: "notice",
    transport: {
      type: "smtp",
      host: "localhost",
      port,
      tls: "off",
      login: null,
      caFile: tlsFile("server.crt"),
      ...changes,
    },
  };
}

/** Deliver a notice to a server, and return what it has got. */
async function delivered(
  notice = sampleNotice(),
  server: MailServerOptions = {},
  transport: Partial<SmtpTransport> = {},
): Promise<ParsedMail> {
  return await withMailServer(server, async (port, mails) => {
    await deliver(channelFor(mailTo(port, transport)), notice);
    assert.equal(mails.length, 1);
    assert.deepEqual(mails[0]!.recipients, ["ops@example.com", "dev@example.com"]);
    assert.equal(mails[0]!.sender, "jobctl@example.com");
    return parseMail(mails[0]!.message);
  });
}

test("deliver() sends a mail with text, HTML, and headers that say what it is", async () => {
  const { headers, text, html } = await delivered();
  assert.equal(headers.get("subject"), 'backup failed: Command "tar" exited with code 2');
  assert.equal(headers.get("from"), "jobctl <jobctl@example.com>");
  assert.equal(headers.get("to"), "ops@example.com, dev@example.com");
  assert.equal(headers.get("message-id"), `<${NOTICE_ID}@example.com>`);
  assert.equal(headers.get("in-reply-to"), `<incident-${INCIDENT_ID}@example.com>`);
  assert.equal(headers.get("references"), headers.get("in-reply-to"));
  assert.equal(headers.get("auto-submitted"), "auto-generated");
  assert.equal(headers.get("x-jobctl-event"), "failed");
  assert.equal(headers.get("x-jobctl-job"), "backup");
  assert.equal(headers.get("date"), "Thu, 15 Jan 2026 09:30:00 +0000");
  assert.match(
    text,
    /^backup failed: Command "tar" exited with code 2\n\nRan for 1m\nAttempt 2\n\nJob: backup\nTime: 2026-01-15 10:30:00 \+01:00\n/,
  );
  assert.match(
    text,
    /Last 2 lines of the output:\n {2}tar: \/srv: Cannot open: Permission denied\n/,
  );
  assert.match(text, /See more: jobctl explain 0195/);
  assert.match(html, /<h2[^>]*>backup failed: Command &quot;tar&quot; exited with code 2<\/h2>/);
  assert.match(html, /<pre[^>]*>tar: \/srv: Cannot open/);
});

test("deliver() sends the same bytes in every attempt", async () => {
  await withMailServer({}, async (port, mails) => {
    const channel = channelFor(mailTo(port));
    await deliver(channel);
    await deliver(channel);
    assert.equal(mails[0]!.message, mails[1]!.message);
  });
});

test("deliver() sends a digest as a table by job", async () => {
  const { text, html, headers } = await delivered(sampleDigest());
  assert.match(
    text,
    /\na {2}failed ×2 {2}2026-01-15 10:29:00 – 10:30:00 {2}exit code 1\n {2}See more: jobctl logs \S+\na {2}recovered/,
  );
  assert.match(html, /<td[^>]*>a<\/td><td[^>]*>failed<\/td><td[^>]*>2<\/td>/);
  assert.equal(headers.get("in-reply-to"), undefined);
});

test("deliver() lets no text of a job become a header or markup", async () => {
  const evil = "x\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>\u001b[31m\u202e";
  const notice = sampleNotice({
    title: evil,
    subject: { type: "job", name: evil },
    host: "db1\r\nX-Evil: 1",
    facts: [evil],
    output: [evil, "."],
    command: evil,
  });
  await withMailServer({}, async (port, mails) => {
    await deliver(channelFor(mailTo(port)), notice);
    const { headers, text, html } = parseMail(mails[0]!.message);
    assert.equal(headers.get("bcc"), undefined);
    assert.equal(headers.get("x-evil"), undefined);
    assert.deepEqual(mails[0]!.recipients, ["ops@example.com", "dev@example.com"]);
    assert.match(headers.get("subject")!, /^x\\r\\nBcc: eve@example\.com/);
    assert.doesNotMatch(html, /<script/);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(text + html, /[\u001b\u202e]/);
    assert.match(text, /\n {2}\.\n/);
  });
});

/** Deliver the output of a run in the style of a cron. */
async function cronMail(
  changes: Partial<MailTarget>,
  given: Parameters<typeof sampleNotice>[0] = {},
): Promise<ParsedMail> {
  return await withMailServer({}, async (port, mails) => {
    const cron = { user: "www", line: "/bin/x -y", env: { SHELL: "/bin/sh", "A\n": "b\nc" } };
    const told = { type: "output", cron, incident: null, host: "db1.example.com" } as const;
    const target: MailTarget = { ...mailTo(port), from: null, ...changes };
    await deliver(channelFor(target), sampleNotice({ ...told, ...given }));
    return parseMail(mails[0]!.message);
  });
}

test("deliver() writes the output of a run as cronie does", async () => {
  const output = ["  two  blanks\tand a tab", "\u001b[31mred", "", ".", "x".repeat(3_000), "café"];
  const { headers, text, html } = await cronMail({ style: "cron" }, { output });
  assert.equal(headers.get("subject"), "Cron <www@db1> /bin/x -y");
  assert.equal(headers.get("from"), '"(Cron Daemon)" <www>');
  assert.equal(headers.get("x-cron-env"), "<SHELL=/bin/sh>, <A\\n=b\\nc>");
  assert.equal(headers.get("auto-submitted"), "auto-generated");
  assert.equal(headers.get("precedence"), "bulk");
  assert.equal(headers.get("content-type"), "text/plain; charset=utf-8");
  assert.equal(html, "");
  assert.equal(text, `${output.join("\n")}\n`);
});

test("deliver() writes the output of a run as the other crons do", async () => {
  const failed = await cronMail({ style: "cron-debian" });
  assert.equal(failed.headers.get("subject"), "Cron <www@db1> /bin/x -y (failed)");
  assert.equal(failed.headers.get("from"), "Cron Daemon <root>");
  const { run } = sampleNotice();
  const ok = { run: { ...run!, state: "completed" } } as const;
  const completed = await cronMail({ style: "cron-debian", from: "a@example.com" }, ok);
  assert.equal(completed.headers.get("subject"), "Cron <www@db1> /bin/x -y");
  assert.equal(completed.headers.get("from"), "a@example.com");
  const busybox = await cronMail({ style: "cron-busybox" });
  assert.equal(busybox.headers.get("subject"), "cron: /bin/x -y");
});

test("deliver() follows CONTENT_TYPE and CONTENT_TRANSFER_ENCODING of a crontab", async () => {
  const env = { CONTENT_TYPE: "text/html; charset=iso-8859-1" };
  const cron = { user: "www", line: "x", env };
  const typed = await cronMail({ style: "cron" }, { cron, output: ["<b>x</b>"] });
  assert.equal(typed.headers.get("content-type"), "text/html; charset=utf-8");
  const own = { ...env, CONTENT_TRANSFER_ENCODING: "base64" };
  const encoded = await cronMail({ style: "cron" }, {
    cron: { ...cron, env: own },
    output: ["PGI+eDwvYj4="],
  });
  assert.equal(encoded.headers.get("content-transfer-encoding"), "base64");
  assert.equal(encoded.text, "<b>x</b>");
  const odd = { CONTENT_TYPE: "a\nBcc: eve@example.com", CONTENT_TRANSFER_ENCODING: "x\nBcc: eve" };
  const { headers } = await cronMail({ style: "cron" }, { cron: { ...cron, env: odd } });
  assert.equal(headers.get("bcc"), undefined);
  assert.equal(headers.get("content-type"), "text/plain; charset=utf-8");
});

test("deliver() speaks TLS from the start, and logs in", async () => {
  const server = { secure: true, login: LOGIN };
  const { headers } = await delivered(sampleNotice(), server, { tls: "implicit", login: LOGIN });
  assert.equal(headers.get("x-jobctl-event"), "failed");
});

test("deliver() speaks TLS after STARTTLS when it is required or offered", async () => {
  for (const tls of ["required", "offered", "opportunistic"] as const) {
    await withMailServer({ login: LOGIN, startTls: true }, async (port, mails) => {
      await deliver(channelFor(mailTo(port, { tls, login: LOGIN })));
      assert.equal(mails[0]!.isSecure, true, tls);
    });
  }
});

test("deliver() sends nothing when TLS is required and the server does not offer it", async () => {
  await withMailServer({}, async (port, mails) => {
    const error = await failureOf(channelFor(mailTo(port, { tls: "required", login: LOGIN })));
    assert.equal(error.isPermanent, false);
    assert.match(error.message, /STARTTLS|TLS/);
    assert.equal(mails.length, 0);
  });
});

test("deliver() sends nothing when the server's certificate is from nobody it knows", async () => {
  for (
    const [tls, server] of [
      ["implicit", { secure: true }],
      ["required", { startTls: true }],
      ["offered", { startTls: true }],
    ] as const
  ) {
    await withMailServer(server, async (port, mails) => {
      const error = await failureOf(channelFor(mailTo(port, { tls, caFile: null })));
      assert.match(error.message, /self.signed/i);
      assert.equal(mails.length, 0);
    });
  }
});

test("deliver() fails for now, without the password, when the login is refused", async () => {
  await withMailServer(
    { startTls: true, login: { ...LOGIN, password: "another" } },
    async (port) => {
      const channel = channelFor(mailTo(port, { tls: "required", login: LOGIN }));
      const error = await failureOf(channel);
      assert.equal(error.isPermanent, false);
      assert.match(error.message, /535/);
      assert.equal(error.hint, "Check user and password in [notices.NAME]");
      assert.doesNotMatch(`${error.message} ${error.stack}`, /pass word/);
    },
  );
});

for (
  const [code, isPermanent] of [[550, true], [451, false]] as const
) {
  test(`deliver() fails ${isPermanent ? "for good" : "for now"} when the server refuses all with ${code}`, async () => {
    await withMailServer({ refuse: () => code }, async (port, mails) => {
      const error = await failureOf(channelFor(mailTo(port)));
      assert.equal(error.isPermanent, isPermanent);
      assert.match(error.message, new RegExp(`${code}`));
      assert.equal(mails.length, 0);
    });
  });
}

test("deliver() notes who is refused for good when others get the mail", async () => {
  const refuse = (address: string) => address.startsWith("ops") ? 550 : null;
  await withMailServer({ refuse }, async (port, mails) => {
    const lines = await deliver(channelFor(mailTo(port)));
    assert.deepEqual(mails[0]!.recipients, ["dev@example.com"]);
    assert.match(lines[0]!, /^localhost responded with 250 /);
    assert.deepEqual(lines.slice(1), ["The server refused ops@example.com permanently"]);
  });
});

test("deliver() sends the mail only to those who have not got it when some have to wait", async () => {
  let isFirst = true;
  const refuse = (address: string) => isFirst && address.startsWith("ops") ? 451 : null;
  await withMailServer({ refuse }, async (port, mails) => {
    const channel = channelFor(mailTo(port));
    const error = await failureOf(channel);
    assert.match(error.message, /deferred ops@example\.com/);
    assert.equal(error.isPermanent, false);
    isFirst = false;
    await deliver(channel);
    assert.deepEqual(mails.map(({ recipients }) => recipients), [["dev@example.com"], [
      "ops@example.com",
    ]]);
  });
});

test("deliver() fails for now when the server cuts the connection after the mail", async () => {
  await withMailServer({ cutsAfterData: true }, async (port) => {
    const error = await failureOf(channelFor(mailTo(port)));
    assert.equal(error.isPermanent, false);
  });
});

test("deliver() fails at its time limit when the server is silent", async () => {
  await withTcpServer(() => {}, async (port) => {
    const error = await failureOf(channelFor(mailTo(port), { timeoutMs: 300 }));
    assert.match(error.message, /no response within 0\.3 s/);
    assert.equal(error.isPermanent, false);
  });
});

test("deliver() gives the mail to the host's sendmail, on its standard input", async () => {
  const script = '#!/bin/sh\nprintf "%s|" "$@" > "$0.args"; cat > "$0.mail"\n';
  await withTempDir({ sendmail: script }, async (dir) => {
    const { chmodSync } = await import("node:fs");
    const path = `${dir.path}/sendmail`;
    chmodSync(path, 0o755);
    const target: MailTarget = {
      to: "mail",
      from: "jobs@example.com",
      recipients: ["root", "ops@example.com"],
      style: "notice",
      transport: { type: "sendmail", path },
    };
    await deliver(channelFor(target), sampleNotice({ title: "Jöb failed" }));
    assert.equal(
      readFileSync(`${path}.args`, "utf8"),
      "-i|-f|jobs@example.com|root|ops@example.com|",
    );
    const mail = readFileSync(`${path}.mail`, "utf8");
    assert.doesNotMatch(mail, /\r/);
    assert.match(mail, /^Subject: =\?UTF-8\?Q\?J=C3=B6b_failed\?=$/m);
    const failing = channelFor({ ...target, transport: { type: "sendmail", path: `${path}x` } });
    assert.match((await failureOf(failing)).message, /no such program/);
  });
});

test("preview() shows the whole mail, its server and its recipients", async () => {
  const text = await channelFor(mailTo(25, { login: LOGIN })).preview(sampleNotice());
  assert.match(text, /^By: smtp:\/\/localhost:25 \(no TLS\)\nFor: ops@example\.com, dev@/);
  assert.match(text, /\nSubject: backup failed: Command "tar" exited with code 2\n/);
  assert.doesNotMatch(text, /pass word/);
});

test("deliver() names smtp:// when a port without TLS is addressed by smtps://", async () => {
  await withMailServer({}, async (port) => {
    const error = await failureOf(channelFor(mailTo(port, { tls: "implicit" })));
    assert.equal(error.hint, "No TLS at this port: write smtp://");
  });
});
