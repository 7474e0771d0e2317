import assert from "node:assert/strict";
import test from "node:test";
import { followGuide } from "../../support/docs/guide.ts";
import { readPage, readPages } from "../../support/docs/pages.ts";
import { startValkey } from "../../support/servers/valkey_server.ts";
import { withTempDir } from "../../support/temp_dir.ts";

test("docs/tutorial.md works from the first command to the last", async () => {
  const valkey = await startValkey({ appendonly: true });
  try {
    const ports = new Map([["6379", valkey.port]]);
    await withTempDir({}, ({ path }) => followGuide(readPage("docs/tutorial.md"), path, ports));
  } finally {
    await valkey.close();
  }
});

for (const page of readPages("docs/howto")) {
  test(`${page.path} works from the first command to the last`, () =>
    withTempDir({}, ({ path }) => followGuide(page, path)));
}

test("followGuide() fails if a command or its output is not as the page says", async () => {
  const follow = (text: string) =>
    withTempDir({}, ({ path }) => followGuide({ path: "a.md", text }, path));
  await follow("```sh\necho right\n```\n\n```text\n…ri…\n```\n");
  await follow("```sh\n(exit 3)   # exits with 3\n```\n");
  await assert.rejects(follow("```sh\necho right\n```\n\n```text\nwrong\n```\n"), /a\.md:5 says/);
  await assert.rejects(follow("```sh\nfalse\n```\n"), /a\.md:1/);
  await assert.rejects(follow("```sh\ntrue   # exits with 3\n```\n"), /a\.md:1/);
});
