import assert from "node:assert/strict";
import { test } from "node:test";
import { programOf } from "../../src/platform/process/browser.ts";

test("programOf() is null where there is no desktop", () => {
  assert.equal(programOf("linux", {}), null);
  assert.equal(programOf("linux", { DISPLAY: "" }), null);
  assert.equal(programOf("darwin", { SSH_CONNECTION: "10.0.0.1 1 10.0.0.2 22" }), null);
});

test("programOf() names the program that opens a URL", () => {
  assert.deepEqual(programOf("linux", { WAYLAND_DISPLAY: "wayland-0" }), ["xdg-open"]);
  assert.deepEqual(programOf("linux", { DISPLAY: ":0" }), ["xdg-open"]);
  assert.deepEqual(programOf("darwin", {}), ["open"]);
  assert.deepEqual(programOf("win32", {}), ["rundll32", "url.dll,FileProtocolHandler"]);
});
