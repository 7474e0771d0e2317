import type { PresetName } from "../../../core/notices/presets.ts";
import { Cut, type Escape, type TemplateNode, When } from "../../../core/notices/template.ts";
import { COLORS, escapeHtml } from "../../render/html.ts";
import type { Severity } from "../../render/severity.ts";

/** The parts of a request that depend on a notice's severity. */
export interface PresetPart {
  /** The same notice has the same severity in every attempt. */
  readonly severity: Severity;
  /** The key by which a service recognizes an incident, at most 255 characters. */
  readonly incident: string;
  readonly token: string;
  readonly chat: string;
}

/** The request that a service expects. */
export interface Preset {
  /** Target of requests, from the configured URL. */
  url(url: URL, part: PresetPart): URL;
  headers(part: PresetPart): Readonly<Record<string, string>>;
  body(part: PresetPart, url: URL): TemplateNode;
  readonly escape: Escape;
}

const same = (url: URL) => url;
const none = () => ({});
const asIs = (character: string) => character;

/** Values that are always code: fences know no escapes, so nothing may end them. */
const CODE: ReadonlySet<string> = new Set(["output", "command"]);
/** Values that programs read. */
const PLAIN: ReadonlySet<string> = new Set(["at", "event", "id", "run_id", "incident_id"]);

function escapeText(escape: (character: string) => string): Escape {
  return (character, name) => PLAIN.has(name) ? character : escape(character);
}

/** In code, only the closing character is escaped. */
function withCode(inCode: (character: string) => string, inText: Escape): Escape {
  return (character, name) => {
    if (!CODE.has(name)) return inText(character, name);
    return character === "`" ? "'" : inCode(character);
  };
}

const slackEntity = (character: string) =>
  "&<>".includes(character) ? escapeHtml(character) : character;
const slackEscape: Escape = withCode(slackEntity, escapeText(slackEntity));

const MARKDOWN = new Set(Array.from("\\`*_~|<>#[]"));
const markdown = (character: string) => MARKDOWN.has(character) ? `\\${character}` : character;
const markdownEscape: Escape = withCode(asIs, escapeText(markdown));

/** Keeps the next name from being a mention: `@channel` and `@all` call nobody. */
const AT = "@\u200b";

const mattermostEscape: Escape = withCode(
  asIs,
  escapeText((character) => character === "@" ? AT : markdown(character)),
);

/** In code, Telegram makes neither mentions nor commands. */
const telegramEscape: Escape = (character, name) => {
  if (character === "@" && !CODE.has(name)) return AT;
  return escapeHtml(character);
};

const colorNumber = ({ severity }: PresetPart) => parseInt(COLORS[severity].slice(1), 16);

function levels<T>(table: Readonly<Record<Severity, T>>): (part: PresetPart) => T {
  return ({ severity }) => table[severity];
}

const ntfyPriority = levels({ critical: 5, error: 4, warning: 3, info: 2, ok: 3 });
const ntfyTag = levels({
  critical: "rotating_light",
  error: "x",
  warning: "warning",
  info: "information_source",
  ok: "white_check_mark",
});
const gotifyPriority = levels({ critical: 9, error: 8, warning: 5, info: 2, ok: 4 });
const teamsColor = levels({
  critical: "Attention",
  error: "Attention",
  warning: "Warning",
  info: "Accent",
  ok: "Good",
});
const pagerdutySeverity = levels({
  critical: "critical",
  error: "error",
  warning: "warning",
  info: "info",
  ok: "info",
});
const opsgeniePriority = levels({
  critical: "P1",
  error: "P2",
  warning: "P3",
  info: "P5",
  ok: "P5",
});

/** A section of Slack's blocks; one has at most 3,000 characters. */
const slackSection = (text: string): TemplateNode => ({
  type: "section",
  text: { type: "mrkdwn", text: new Cut(text, 2_900) },
});

const slack: Preset = {
  url: same,
  headers: none,
  escape: slackEscape,
  body: ({ severity }) => ({
    text: new Cut("{{title}}", 2_900),
    attachments: [{
      color: COLORS[severity],
      fallback: new Cut("{{title}}", 2_900),
      blocks: [
        slackSection("*{{title}}*"),
        slackSection("{{facts}}"),
        new When("output", slackSection("```{{output}}```")),
        new When("command", {
          type: "context",
          elements: [{ type: "mrkdwn", text: new Cut("`{{command}}`", 1_900) }],
        }),
      ],
    }],
  }),
};

/** Text of a Teams card without markup. */
const teamsText = (text: Cut, more: Readonly<Record<string, TemplateNode>>): TemplateNode => ({
  type: "RichTextBlock",
  inlines: [{ type: "TextRun", text, ...more }],
});

const teams: Preset = {
  url: same,
  headers: none,
  // Text runs have no markup.
  escape: asIs,
  body: (part) => ({
    type: "message",
    attachments: [{
      contentType: "application/vnd.microsoft.card.adaptive",
      contentUrl: null,
      content: {
        $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
        type: "AdaptiveCard",
        version: "1.4",
        msteams: { width: "Full" },
        // A message has at most 28 KB, and a character may take four bytes.
        body: [
          teamsText(new Cut("{{title}}", 500), {
            size: "Large",
            weight: "Bolder",
            color: teamsColor(part),
          }),
          teamsText(new Cut("{{facts}}", 2_500), {}),
          new When("output", teamsText(new Cut("{{output}}", 2_500), { fontType: "Monospace" })),
          new When("command", teamsText(new Cut("{{command}}", 300), { fontType: "Monospace" })),
        ],
      },
    }],
  }),
};

const discord: Preset = {
  url: same,
  headers: none,
  escape: markdownEscape,
  body: (part) => ({
    allowed_mentions: { parse: [] },
    // All texts of a message have at most 6,000 characters, a title 256, a description 4,096.
    embeds: [{
      title: new Cut("{{title}}", 256),
      description: new Cut("{{facts}}", 2_000),
      color: colorNumber(part),
      timestamp: "{{at}}",
      fields: [
        new When("output", { name: "Output", value: new Cut("```\n{{output}}\n```", 1_024) }),
        new When("command", { name: "See more", value: new Cut("`{{command}}`", 1_024) }),
      ],
    }],
  }),
};

const mattermost: Preset = {
  url: same,
  headers: none,
  escape: mattermostEscape,
  body: ({ severity }) => ({
    text: "",
    // Older servers refuse attachments of more than 7,900 characters in JSON.
    attachments: [{
      fallback: new Cut("{{title}}", 500),
      color: COLORS[severity],
      title: new Cut("{{title}}", 500),
      text: new Cut("{{facts}}", 2_500),
      fields: [
        new When("output", {
          short: false,
          title: "Output",
          value: new Cut("```\n{{output}}\n```", 2_000),
        }),
        new When("command", {
          short: false,
          title: "See more",
          value: new Cut("`{{command}}`", 500),
        }),
      ],
    }],
  }),
};

/** The configured URL ends with the topic; messages as JSON go to the server's root. */
const ntfy: Preset = {
  url: (url) => new URL(url.pathname.replace(/\/[^/]*$/, "") || "/", url),
  headers: ({ token }): Record<string, string> =>
    token === "" ? {} : { Authorization: `Bearer ${token}` },
  escape: asIs,
  body: (part, url) => ({
    topic: url.pathname.split("/").at(-1)!,
    title: new Cut("{{title}}", 250),
    // A longer message becomes an attachment.
    message: new Cut("{{facts}}\n\n{{output}}", 4_000, "bytes"),
    priority: ntfyPriority(part),
    tags: [ntfyTag(part)],
  }),
};

const gotify: Preset = {
  url: (url) => new URL(`${url.pathname.replace(/\/$/, "")}/message`, url),
  headers: ({ token }) => ({ "X-Gotify-Key": token }),
  escape: asIs,
  body: (part) => ({
    title: new Cut("{{title}}", 500),
    message: new Cut("{{facts}}\n\n{{output}}", 16_000),
    priority: gotifyPriority(part),
  }),
};

const telegram: Preset = {
  url: (url, { token }) =>
    new URL(`${url.pathname.replace(/\/$/, "")}/bot${token}/sendMessage`, url),
  headers: none,
  escape: telegramEscape,
  body: ({ chat, severity }) => ({
    chat_id: chat,
    parse_mode: "HTML",
    link_preview_options: { is_disabled: true },
    disable_notification: severity === "info" || severity === "ok",
    text: new Cut(
      "<b>{{title}}</b>\n{{facts}}\n<pre>{{output}}</pre>\n<code>{{command}}</code>",
      4_096,
    ),
  }),
};

const pagerduty: Preset = {
  url: same,
  headers: none,
  escape: asIs,
  body: (part) => ({
    routing_key: part.token,
    event_action: part.severity === "ok" ? "resolve" : "trigger",
    dedup_key: part.incident,
    client: "jobctl",
    payload: {
      summary: new Cut("{{title}}", 1_024),
      source: new Cut("{{host}}", 255),
      severity: pagerdutySeverity(part),
      timestamp: "{{at}}",
      component: new Cut("{{subject}}", 255),
      class: "{{event}}",
      custom_details: {
        facts: new Cut("{{facts}}", 10_000),
        error: new When("error", new Cut("{{error}}", 10_000)),
        output: new When("output", new Cut("{{output}}", 20_000)),
        command: new When("command", "{{command}}"),
      },
    },
  }),
};

const opsgenie: Preset = {
  url: (url, { severity, incident }) => {
    const alerts = `${url.pathname.replace(/\/$/, "")}/v2/alerts`;
    const close = `${alerts}/${encodeURIComponent(incident)}/close?identifierType=alias`;
    return new URL(severity === "ok" ? close : alerts, url);
  },
  headers: ({ token }) => ({ Authorization: `GenieKey ${token}` }),
  escape: asIs,
  body: (part): TemplateNode =>
    part.severity === "ok"
      ? { source: new Cut("{{host}}", 100), note: new Cut("{{title}}\n{{facts}}", 10_000) }
      : {
        message: new Cut("{{title}}", 130),
        alias: part.incident,
        description: new Cut("{{facts}}\n\n{{output}}", 15_000),
        entity: new Cut("{{subject}}", 512),
        source: new Cut("{{host}}", 100),
        priority: opsgeniePriority(part),
        tags: ["jobctl", "{{event}}"],
      },
};

const TABLE: Readonly<Record<PresetName, Preset>> = {
  slack,
  teams,
  discord,
  mattermost,
  ntfy,
  gotify,
  telegram,
  pagerduty,
  opsgenie,
};

/** The form of a service by its name. */
export function presetOf(name: PresetName): Preset {
  return TABLE[name];
}
