import assert from "node:assert/strict";
import { test } from "node:test";
import type { Notice } from "../../../src/core/notices/notice.ts";
import { PRESET_NAMES, type PresetName } from "../../../src/core/notices/presets.ts";
import { channelFor, hookTo } from "../../support/notices/channel_world.ts";
import {
  INCIDENT_ID,
  NOTICE_ID,
  sampleDigest,
  sampleNotice,
} from "../../support/notices/sample_notices.ts";

async function sent(
  preset: PresetName,
  notice: Notice,
  url = "https://hooks.example.com/hook/topic",
) {
  const target = hookTo(url, { preset, token: "tok-123", chat: "-100" });
  const text = await channelFor(target).preview(notice);
  const [head, body] = text.split("\n\n") as [string, string];
  return { head, body: JSON.parse(body), line: head.split("\n")[0]!, text: body };
}

const LONG = sampleNotice({
  title: "t&".repeat(5_000),
  facts: Array.from({ length: 100 }, () => "<f>\u00e9*".repeat(400)),
  output: Array.from(
    { length: 50 },
    (_, index) => `${index} \`\`\` @channel <x> & ${"y".repeat(1_900)}`,
  ),
  command: "jobctl explain `id`",
});

/** The lengths of the texts at paths of a body. */
function lengths(body: unknown, path = ""): [string, number][] {
  if (typeof body === "string") return [[path, body.length]];
  if (typeof body !== "object" || body === null) return [];
  return Object.entries(body).flatMap(([key, value]) => lengths(value, `${path}.${key}`));
}

const LIMITS: Readonly<Record<PresetName, number>> = {
  slack: 3_000,
  teams: 2_500,
  discord: 4_096,
  mattermost: 4_000,
  ntfy: 4_096,
  gotify: 16_000,
  telegram: 4_096,
  pagerduty: 20_000,
  opsgenie: 15_000,
};
/** All texts of a message together. */
const WHOLE: Partial<Record<PresetName, number>> = {
  teams: 28_000,
  discord: 6_000,
  mattermost: 7_900,
};

for (const preset of PRESET_NAMES) {
  test(`the preset ${preset} keeps to the limits of the service, and sends JSON of every notice`, async () => {
    for (
      const notice of [
        sampleNotice(),
        sampleDigest(),
        LONG,
        sampleNotice({ type: "recovered", output: [], command: null, run: null }),
      ]
    ) {
      const { body, text } = await sent(preset, notice);
      const found = lengths(body);
      assert.deepEqual(found.filter(([, length]) => length > LIMITS[preset]), []);
      assert.deepEqual(found.filter(([, length]) => length === 0 && preset !== "mattermost"), []);
      const whole = WHOLE[preset];
      if (whole !== undefined) {
        assert.ok(
          Buffer.byteLength(text) <= whole * (preset === "discord" ? 1.3 : 1),
          `${text.length}`,
        );
      }
      assert.doesNotMatch(text, /\{\{/);
    }
  });
}

test("the presets of chats call nobody and let no output end its own block", async () => {
  const slack = await sent("slack", LONG);
  const fence = slack.body.attachments[0].blocks[2].text.text as string;
  assert.match(fence, /^```…?[^`]*```$/);
  assert.match(fence, /''' @channel &lt;x&gt; &amp;/);
  assert.doesNotMatch(slack.text, /<!|<@|<x>/);
  const discord = await sent("discord", LONG);
  assert.deepEqual(discord.body.allowed_mentions, { parse: [] });
  assert.match(discord.body.embeds[0].fields[0].value, /^```\n[^`]*\n```$/);
  const mattermost = await sent("mattermost", sampleNotice({ title: "@all *x*" }));
  assert.equal(mattermost.body.attachments[0].title, "@\u200ball \\*x\\*");
  const telegram = await sent("telegram", LONG);
  assert.doesNotMatch(telegram.text, /<(?!\/?(?:b|pre|code)>)/);
  const named = sampleNotice({ title: "x failed: @alice", facts: ["@bob"], output: ["@carol"] });
  const { text } = (await sent("telegram", named)).body;
  assert.match(text, /^<b>x failed: @\u200balice<\/b>\n@\u200bbob\n[^]*<pre>@carol<\/pre>/);
});

test("the presets name the address and the key of the service", async () => {
  assert.match(
    (await sent("telegram", sampleNotice(), "https://api.telegram.org")).line,
    /^POST \/bot\*\*\*\/sendMessage /,
  );
  assert.match(
    (await sent("gotify", sampleNotice(), "https://push.example.com/g/")).head,
    /^POST \/g\/message [^]*X-Gotify-Key: \*\*\*$/m,
  );
  const ntfy = await sent("ntfy", sampleNotice(), "https://ntfy.example.com/alerts");
  assert.match(ntfy.line, /^POST \/ /);
  assert.deepEqual([ntfy.body.topic, ntfy.body.priority, ntfy.body.tags], ["alerts", 4, ["x"]]);
  assert.match(ntfy.head, /Authorization: Bearer \*\*\*/);
  assert.match((await sent("slack", sampleNotice())).line, /^POST \/hook\/topic /);
});

test("the preset pagerduty opens and closes one incident by its id", async () => {
  const open = (await sent("pagerduty", sampleNotice())).body;
  assert.deepEqual([open.event_action, open.dedup_key, open.payload.severity], [
    "trigger",
    INCIDENT_ID,
    "error",
  ]);
  const closed = (await sent("pagerduty", sampleNotice({ type: "recovered" }))).body;
  assert.deepEqual([closed.event_action, closed.dedup_key], ["resolve", INCIDENT_ID]);
  const alone = (await sent("pagerduty", sampleNotice({ type: "test", incident: null }))).body;
  assert.deepEqual([alone.event_action, alone.dedup_key], ["trigger", NOTICE_ID]);
});

test("the preset opsgenie creates and closes one alert by its alias", async () => {
  const url = "https://api.opsgenie.com/";
  const open = await sent("opsgenie", sampleNotice(), url);
  assert.match(open.line, /^POST \/v2\/alerts /);
  assert.match(open.head, /Authorization: GenieKey \*\*\*/);
  assert.equal(open.body.alias, INCIDENT_ID);
  const closed = await sent("opsgenie", sampleNotice({ type: "recovered" }), url);
  assert.match(
    closed.line,
    new RegExp(`^POST /v2/alerts/${INCIDENT_ID}/close\\?identifierType=alias `),
  );
});
