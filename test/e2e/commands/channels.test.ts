import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { signatureOf } from "../../../src/notices/channels/webhook/webhook_channel.ts";
import { withHttpServer } from "../../support/notices/channel_world.ts";
import { withMailServer } from "../../support/notices/mail_server.ts";
import { parseMail } from "../../support/notices/parsed_mail.ts";
import { type Daemon, startDaemon } from "../../support/processes/daemon.ts";
import { tlsFile } from "../../support/tls_files.ts";
import { until } from "../../support/wait.ts";

/** Channels of the compiled file: it has nodemailer and TLS in it, and no folder of packages. */

const LOGIN = { user: "jobs", password: "mail-pass-word" };
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const CA = `ca = ${JSON.stringify(tlsFile("server.crt"))}\n`;

async function withDaemon(
  toml: string,
  body: (daemon: Daemon) => Promise<void>,
): Promise<void> {
  const daemon = await startDaemon({ toml, env: { MAIL_PASSWORD: LOGIN.password, HOOK: SECRET } });
  try {
    await body(daemon);
  } finally {
    await daemon.stop();
  }
}

async function schedule(daemon: Daemon, kind: string): Promise<string> {
  const { stdout } = await daemon.jobctl(["schedule", kind, "--wait"]);
  return (JSON.parse(stdout) as { uuid: string }).uuid;
}

test("jobctl mails a failure and its end over STARTTLS with a login, as one thread", async () => {
  await withMailServer({ startTls: true, login: LOGIN }, async (port, mails) => {
    const toml = `timezone = "Europe/Berlin"
[notices.mail]
to = "mail"
smtp = "smtp://${LOGIN.user}@localhost:${port}"
password = { env = "MAIL_PASSWORD" }
from = "jobctl@example.com"
recipients = ["ops@example.com"]
${CA}[jobs.fragile]
run = "echo the password is ${LOGIN.password}; test -e well"
retry = 0
cwd = "."
`;
    await withDaemon(toml, async (daemon) => {
      const failed = await schedule(daemon, "fragile");
      await until("the failure is told", () => mails.length === 1);
      writeFileSync(join(daemon.dir, "well"), "");
      await schedule(daemon, "fragile");
      await until("the recovery is told", () => mails.length === 2);
      const [first, second] = mails.map(({ message }) => parseMail(message));
      assert.deepEqual(mails.map(({ isSecure }) => isSecure), [true, true]);
      assert.match(first!.headers.get("subject")!, /^fragile failed: /);
      assert.match(second!.headers.get("subject")!, /^fragile recovered after /);
      assert.equal(first!.headers.get("x-jobctl-run"), failed);
      assert.equal(first!.headers.get("references"), second!.headers.get("references"));
      assert.match(first!.text, /\n {2}the password is \*\*\*\n/);
      assert.match(first!.html, /the password is \*\*\*/);
    });
  });
});

test("jobctl sends signed requests over TLS, also by a channel that a reload brings", async () => {
  await withHttpServer((_, response) => response.end(), async (url, received) => {
    const toml = '[jobs.fails]\nrun = "exit 4"\nretry = 0\n';
    await withDaemon(toml, async (daemon) => {
      const none = await daemon.jobctl(["notices", "test", "hook", "-o", "json"]);
      assert.match(none.stderr, /no such channel/);
      const channel = `[notices.hook]\nto = "webhook"\nurl = "${url}/x"\nallow_private = true\n` +
        `secret = { env = "HOOK" }\n${CA}`;
      const file = join(daemon.dir, "config.toml");
      writeFileSync(file, `${readFileSync(file, "utf8")}${channel}`);
      assert.equal((await daemon.jobctl(["reload"])).code, 0);
      const dry = await daemon.jobctl(["notices", "test", "hook", "--dry-run", "-o", "json"]);
      const { text, is_sent: isSent } = JSON.parse(dry.stdout);
      assert.match(text, /^POST \/x HTTP\/1\.1\nHost: localhost:/);
      assert.deepEqual([isSent, received.length], [false, 0]);
      assert.equal((await daemon.jobctl(["notices", "test", "hook"])).code, 0);
      assert.equal(JSON.parse(received[0]!.body).event, "test");
      const id = await schedule(daemon, "fails");
      await until("the failure is told", () => received.length === 2);
      const { body, headers } = received[1]!;
      const payload = JSON.parse(body);
      assert.deepEqual([payload.event, payload.run.id, payload.run.error.exit_code], [
        "failed",
        id,
        4,
      ]);
      const message = {
        id: String(headers["webhook-id"]),
        timestamp: Number(headers["webhook-timestamp"]),
        body,
      };
      assert.equal(headers["webhook-signature"], signatureOf(SECRET, message));
    });
  }, { isTls: true });
});
