import { existsSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { permissionsOf } from "../../src/platform/files/private_files.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { pageFolders, programOf, writePrivatePage } from "../../src/platform/process/browser.ts";

test("programOf() is null where there is no desktop", () => {
  assert.equal(programOf("linux", {}), null);
  assert.equal(programOf("linux", { DISPLAY: "" }), null);
  assert.equal(programOf("darwin", { SSH_CONNECTION: "10.0.0.1 1 10.0.0.2 22" }), null);
});

test("programOf() names the program that opens a file", () => {
  assert.deepEqual(programOf("linux", { WAYLAND_DISPLAY: "wayland-0" }), ["xdg-open"]);
  assert.deepEqual(programOf("linux", { DISPLAY: ":0" }), ["xdg-open"]);
  assert.deepEqual(programOf("darwin", {}), ["open"]);
  assert.deepEqual(programOf("win32", {}), ["rundll32", "url.dll,FileProtocolHandler"]);
});

test("pageFolders() begins with the home where browsers may be snaps, which read little else", () => {
  const env = { HOME: "/home/eva", XDG_RUNTIME_DIR: "/run/user/1000" };
  const isSnap = (path: string) => path === "/snap/bin";
  assert.deepEqual(pageFolders("linux", env, isSnap), ["/home/eva", "/run/user/1000", tmpdir()]);
  assert.deepEqual(pageFolders("linux", env, () => false), ["/run/user/1000", tmpdir()]);
  assert.deepEqual(pageFolders("darwin", { HOME: "/Users/eva" }, () => true), [tmpdir()]);
});

test("writePrivatePage() goes on to the next place, and remove() leaves nothing", () => {
  const page = writePrivatePage("<p>", { XDG_RUNTIME_DIR: "/nonexistent/runtime" });
  try {
    assert.equal(dirname(dirname(page.path)), tmpdir());
    assert.equal(readFileSync(page.path, "utf8"), "<p>");
    assert.equal(permissionsOf(statSync(page.path)), 0o600);
    assert.equal(permissionsOf(statSync(dirname(page.path))) & 0o077, 0);
  } finally {
    page.remove();
  }
  assert.equal(existsSync(dirname(page.path)), false);
});
