import assert from "node:assert/strict";
import { test } from "node:test";
import { bareHost, hostPort, isLoopback } from "../../src/core/address.ts";

test("isLoopback() knows this machine's names", () => {
  for (const host of ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1", "[::1]"]) {
    assert.ok(isLoopback(host), host);
  }
  for (const host of ["0.0.0.0", "::", "localhost.example.com", "127.0.0.1.example.com", ""]) {
    assert.equal(isLoopback(host), false, host);
  }
});

test("hostPort() puts brackets around an IPv6 address that has none", () => {
  assert.equal(hostPort("127.0.0.1", 59051), "127.0.0.1:59051");
  assert.equal(hostPort("::1", 59051), "[::1]:59051");
  assert.equal(hostPort("[::1]", 59051), "[::1]:59051");
});

test("bareHost() drops the brackets of an IPv6 address only", () => {
  assert.equal(bareHost("[::1]"), "::1");
  assert.equal(bareHost("::1"), "::1");
  assert.equal(bareHost("localhost"), "localhost");
});
