import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { JOB_SCHEMA } from "../../src/config/job_keys.ts";
import { SCHEMA } from "../../src/config/keys.ts";
import { CHANNEL_TYPES, NOTICE_SCHEMA } from "../../src/config/notices/notice_keys.ts";
import { loadConfig } from "../../src/config/load_config.ts";
import { configRows } from "../support/worlds/config_rows.ts";
import { loadText } from "../support/worlds/config_world.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TEXT = readFileSync(`${ROOT}/docs/configuration.md`, "utf8");
const LINES = TEXT.split("\n");
const SNIPPETS = [...TEXT.matchAll(/^```toml\n([^]*?)^```/gm)].map((match) => match[1]!);

for (
  const row of [
    ...configRows(SCHEMA.keys, { isJob: false }),
    ...configRows(NOTICE_SCHEMA.keys, { isJob: true }),
    ...configRows(JOB_SCHEMA.keys, { isJob: true }),
  ]
) {
  test(`docs/configuration.md has the row of ${row.split("`", 2)[1]} as it is`, () => {
    assert.ok(LINES.includes(row), `Wanted this row:\n${row}`);
  });
}

for (const type of Object.keys(CHANNEL_TYPES)) {
  test(`docs/configuration.md and docs/notices.md describe the channel ${type}`, () => {
    const notices = readFileSync(`${ROOT}/docs/notices.md`, "utf8");
    for (const text of [TEXT, notices]) assert.ok(text.includes(`to = "${type}"`), type);
  });
}

test("config.example.toml names each type of channel", () => {
  const text = readFileSync(`${ROOT}/config.example.toml`, "utf8");
  assert.ok(text.includes(`# ${Object.keys(CHANNEL_TYPES).join(" | ")}\n`));
});

test("docs/configuration.md has snippets", () => {
  assert.ok(SNIPPETS.length >= 10, `found ${SNIPPETS.length}`);
});

for (const [index, snippet] of SNIPPETS.entries()) {
  test(`docs/configuration.md has a snippet ${index + 1} that loads without problems`, async () => {
    const { problems } = await loadText(snippet, {
      files: { "jobs/a.ts": "", "conf.d/a.toml": "" },
      env: {
        CI_TOKEN: "0123456789abcdef",
        WALLBOARD_TOKEN: "0123456789abcdef",
        BACKUP_PASSWORD: "x",
        STORE_PASSWORD: "x",
        SLACK_URL: "https://hooks.slack.com/services/T000/B000/0123456789",
        MAIL_PASSWORD: "0123456789abcdef",
      },
    });
    assert.deepEqual(problems, []);
  });
}

test("config.example.toml loads without problems and schedules what it says", async () => {
  const { config, problems, warnings } = await loadConfig(`${ROOT}/config.example.toml`);
  assert.deepEqual([...problems, ...warnings], []);
  assert.deepEqual(config.jobs.map((job) => job.kind), ["heartbeat", "report", "disk"]);
  assert.deepEqual([config.server.port, config.server.http?.port], [59_051, 59_052]);
});

test("config.example.toml shows nothing that is refused, also where it is commented out", async () => {
  const text = readFileSync(`${ROOT}/config.example.toml`, "utf8");
  const all = text.replace(/^# ((?:\w+ = |\[).*)$/gm, "$1")
    .replace(/\{ file = "[^"]+" \}/g, '{ env = "SECRET" }');
  assert.ok(all.match(/^\w+ = /gm)!.length > text.match(/^\w+ = /gm)!.length + 20);
  const { problems } = await loadText(all, {
    files: { "jobs/a.ts": "", "conf.d/a.toml": "" },
    env: { SECRET: "0123456789abcdef" },
  });
  assert.deepEqual(problems, []);
});
