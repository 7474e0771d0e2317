import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import process from "node:process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { DashboardFiles } from "../../../src/http/site/dashboard_files.ts";

const PLAIN = { acceptEncoding: undefined, ifNoneMatch: undefined };

async function load(basePath: string): Promise<DashboardFiles> {
  const script = fileURLToPath(new URL("../../../scripts/dashboard/main.mjs", import.meta.url));
  // Under Deno, execPath is not Node.
  execFileSync("node", [script], { env: { ...process.env } });
  return await DashboardFiles.load(basePath);
}

test("page() names files that file() returns, below the base path", async () => {
  const files = await load("/x/y/");
  const page = files.page(PLAIN);
  const text = page.body.toString();
  const paths = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
  assert.equal(paths.length, 3);
  for (const path of paths) {
    assert.ok(path.startsWith("/x/y/assets/"), path);
    const file = files.file(path.slice("/x/y/".length), PLAIN);
    assert.equal(file?.status, 200, path);
    assert.match(file!.headers["cache-control"]!, /immutable/);
  }
  assert.ok(!/<script>|<style|style=|onclick/.test(text));
});

test("file() returns a compressed file only to those who accept it", async () => {
  const files = await load("/");
  const text = files.page(PLAIN).body.toString();
  const path = /src="\/(assets\/app-[0-9a-f]{12}\.js)"/.exec(text)![1]!;
  const plain = files.file(path, PLAIN)!;
  const packed = files.file(path, { ...PLAIN, acceptEncoding: "br, gzip;q=0.8" })!;
  assert.equal(plain.headers["content-encoding"], undefined);
  assert.equal(packed.headers["content-encoding"], "gzip");
  assert.deepEqual(gunzipSync(packed.body), plain.body);
  assert.equal(files.file(path, { ...PLAIN, ifNoneMatch: plain.headers.etag! })?.status, 304);
});

test("page() is not sent again to a browser that has it", async () => {
  const files = await load("/");
  const { etag } = files.page(PLAIN).headers;
  const again = files.page({ ...PLAIN, ifNoneMatch: etag! });
  assert.deepEqual([again.status, again.body.length], [304, 0]);
});

test("file() returns null for a name that the page does not load", async () => {
  const files = await load("/");
  for (const path of ["assets/none.js", "assets/", "", "app.js", "assets/__proto__"]) {
    assert.equal(files.file(path, PLAIN), null, path);
  }
});
