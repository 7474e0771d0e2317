import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { ConfigWatch } from "../../src/daemon/config_watch.ts";
import { withTempDir } from "../support/temp_dir.ts";

test("ConfigWatch finds files that are changed, added and removed, and no others", () =>
  withTempDir({
    "config.toml": "a",
    "jobs/one.ts": "1",
    "jobs/node_modules/x.js": "1",
    "lib/util.ts": "1",
    "notes.txt": "1",
  }, async ({ path, write }) => {
    const never = new AbortController().signal;
    let whenIdle = () => {};
    const watch = new ConfigWatch({
      places: () => ({
        files: [`${path}/lib/util.ts`],
        configFolders: [path],
        moduleFolders: [`${path}/jobs`],
      }),
      // Only when nothing has changed.
      wait: async () => whenIdle(),
    });
    const changed = async () =>
      (await watch.changed(never)).map((one) => one.slice(path.length + 1));

    write("jobs/one.ts", "22");
    write("lib/util.ts", "22");
    write("more.toml", "1");
    assert.deepEqual(await changed(), ["jobs/one.ts", "lib/util.ts", "more.toml"]);

    let looks = 0;
    write("notes.txt", "22");
    write("jobs/node_modules/x.js", "22");
    whenIdle = () => {
      looks += 1;
      write("jobs/sub/two.ts", "1");
    };
    assert.deepEqual(await changed(), ["jobs/sub/two.ts"]);
    assert.equal(looks, 1);

    rmSync(`${path}/jobs/one.ts`);
    assert.deepEqual(await changed(), ["jobs/one.ts"]);
  }));

test("ConfigWatch takes no file for changed because it is watched from now on", () =>
  withTempDir({ "config.toml": "a", "old.ts": "1", "new.ts": "1" }, async ({ path, write }) => {
    let files = [`${path}/config.toml`, `${path}/old.ts`];
    const end = new AbortController();
    const watch = new ConfigWatch({
      places: () => ({ files, configFolders: [], moduleFolders: [] }),
      wait: async () => end.abort(),
    });
    files = [`${path}/config.toml`, `${path}/new.ts`];
    assert.deepEqual(await watch.changed(end.signal), []);
    write("config.toml", "bb");
    assert.deepEqual(await watch.changed(new AbortController().signal), [`${path}/config.toml`]);
  }));
