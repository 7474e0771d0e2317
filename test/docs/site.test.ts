import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { anchorOf } from "../../scripts/docs/anchors.ts";
import { readAnsi, terminalPicture } from "../../scripts/docs/ansi.ts";
import siteConfig, { type Token } from "../../scripts/docs/config.ts";
import { siteLink } from "../../scripts/docs/links.ts";
import { NAVIGATION } from "../../scripts/docs/navigation.ts";
import { readPages, ROOT } from "../support/docs/pages.ts";

test("the navigation of the site has every page once", () => {
  const listed = NAVIGATION.flatMap(({ entries }) => entries.map(({ page }) => `docs/${page}.md`));
  assert.deepEqual(listed.toSorted(), readPages("docs").map(({ path }) => path).toSorted());
  const texts = NAVIGATION.flatMap(({ entries }) => entries.map(({ text }) => text));
  assert.equal(new Set(texts).size, texts.length);
});

test("siteLink() leaves links between pages, and shows other files on GitHub", () => {
  const github = "https://github.com/ts-job/ts-job/blob/main";
  assert.equal(siteLink("cron.md#exit-codes", "cli.md"), "cron.md#exit-codes");
  assert.equal(siteLink("../cron.md", "howto/move.md"), "../cron.md");
  assert.equal(siteLink("#here", "howto/move.md"), "#here");
  assert.equal(siteLink("https://example.com/a", "cli.md"), "https://example.com/a");
  assert.equal(siteLink("../CHANGELOG.md", "cli.md"), `${github}/CHANGELOG.md`);
  assert.equal(siteLink("../../CHANGELOG.md", "howto/move.md"), `${github}/CHANGELOG.md`);
});

test("the site shows tables of keys as entries, and other tables as they are", () => {
  const rules: { table_open?: (tokens: readonly Token[], index: number) => string } = {};
  siteConfig.markdown.config({ core: { ruler: { push: () => {} } }, renderer: { rules } });
  const open = (...heads: string[]) => {
    const token = (type: string, content = ""): Token => ({
      ...{ type, content, children: null, attrGet: () => null, attrSet: () => {} },
    });
    const cells = heads.map((head) => token("inline", head));
    const tokens = [token("table_open"), ...cells, token("thead_close"), token("inline", "x")];
    return rules.table_open!(tokens, 0);
  };
  const keys = '<table tabindex="0" class="keys">\n';
  assert.equal(open("key", "type", "default", "meaning"), keys);
  assert.equal(open("key", "type", "default"), '<table tabindex="0">\n');
  const pages = readPages("docs").filter(({ text }) =>
    text.includes("\n| key | type | default | meaning |\n")
  );
  assert.deepEqual(pages.map(({ path }) => path), ["docs/configuration.md"]);
});

test("anchorOf() makes the anchors of GitHub", () => {
  assert.equal(anchorOf("Limits, schedules and @reboot"), "limits-schedules-and-reboot");
  assert.equal(anchorOf("[jobs.KIND]"), "jobskind");
  assert.equal(anchorOf("install.sh"), "installsh");
  assert.equal(anchorOf("a_b – c"), "a_b--c");
});

test("the site's generator is locked, and no package of the project needs it", () => {
  const read = (path: string) => JSON.parse(readFileSync(`${ROOT}${path}`, "utf8"));
  const { dependencies } = read("scripts/docs/site/package.json");
  const lock = read("scripts/docs/site/package-lock.json");
  for (const [name, version] of Object.entries(dependencies)) {
    assert.equal(lock.packages[`node_modules/${name}`].version, version);
    assert.equal(name in read("package-lock.json").packages[""].devDependencies, false);
  }
});

test("readAnsi() splits lines into runs of one look, and wraps as a terminal does", () => {
  const bold = "\u001b[1mab\u001b[22mcd\u001b[0m";
  assert.deepEqual(readAnsi(`${bold}\n\u001b[31;4mx\u001b[0m\u001b[2Ky`, 3), [
    [{ text: "ab", classes: "bold" }, { text: "c", classes: "" }],
    [{ text: "d", classes: "" }],
    [{ text: "x", classes: "line c31" }, { text: "y", classes: "" }],
  ]);
});

test("terminalPicture() shows reversed text on a ground of its own", () => {
  const picture = terminalPicture("ab\u001b[7mcde\u001b[27mf", { columns: 10, title: "" });
  assert.ok(picture.includes('<rect class="cells" x="34.8" y="35" width="25.2" height="19"/>'));
  assert.ok(picture.includes('ab<tspan class="reverse">cde</tspan>f'));
});

test("terminalPicture() escapes what it shows, and has colors for both themes", () => {
  const picture = terminalPicture('\u001b[92m<&">\u001b[0m\n\n', { columns: 10, title: "a < b" });
  assert.ok(picture.includes('<tspan class="c32">&lt;&amp;&quot;&gt;</tspan>'));
  assert.ok(picture.includes('<title id="title">a &lt; b</title>'));
  assert.equal(picture.match(/\.c32 \{ fill: #\w+; \}/g)?.length, 2);
  assert.doesNotMatch(picture, /https?:(?!\/\/www\.w3\.org\/2000\/svg)/);
});
