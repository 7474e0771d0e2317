import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { loadTls } from "../../../src/platform/network/tls.ts";
import { tlsFile } from "../../support/tls_files.ts";
import { keepingLogger } from "../../support/worlds/rpc_world.ts";
import type { LoggedLine } from "../../support/worlds/rpc_world.ts";

const NOW = Date.UTC(2026, 0, 1);

/** Copies of the certificate and key, with the key's own mode. */
function files(context: TestContext): { cert: string; key: string; clientCa: string | null } {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-tls-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const cert = join(folder, "server.crt");
  const key = join(folder, "server.key");
  copyFileSync(tlsFile("server.crt"), cert);
  copyFileSync(tlsFile("server.key"), key);
  chmodSync(key, 0o600);
  return { cert, key, clientCa: null };
}

const load = (paths: ReturnType<typeof files>, lines: LoggedLine[] = [], nowMs = NOW) =>
  loadTls(paths, { nowMs, logger: keepingLogger(lines) });

test("loadTls() gives certificate, key and CA when they fit", async (context) => {
  const lines: LoggedLine[] = [];
  const paths = files(context);
  const material = await load({ ...paths, clientCa: paths.cert }, lines);
  assert.ok(material.cert.length > 0 && material.key.length > 0 && material.ca);
  assert.deepEqual(lines, []);
});

test("loadTls() warns when others can read the key", async (context) => {
  const lines: LoggedLine[] = [];
  const paths = files(context);
  chmodSync(paths.key, 0o644);
  await load(paths, lines);
  assert.deepEqual([lines[0]?.level, lines[0]?.fields.hint], ["warn", `chmod 600 ${paths.key}`]);
});

type Spoil = (paths: ReturnType<typeof files>) => { path: string; nowMs?: number };

const FAULTS: Readonly<Record<string, Spoil>> = {
  "the certificate is missing": (paths) => ({ path: paths.cert += ".missing" }),
  "the key is missing": (paths) => ({ path: paths.key += ".missing" }),
  "the certificate is garbage": (paths) => {
    writeFileSync(paths.cert, "garbage");
    return { path: paths.cert };
  },
  "the key is garbage": (paths) => {
    writeFileSync(paths.key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    return { path: paths.key };
  },
  "the certificate is empty": (paths) => {
    writeFileSync(paths.cert, "");
    return { path: paths.cert };
  },
  "the key belongs to another certificate": (paths) => {
    copyFileSync(tlsFile("other.key"), paths.key);
    return { path: paths.key };
  },
  "the certificate is expired": (paths) => {
    copyFileSync(tlsFile("expired.crt"), paths.cert);
    return { path: paths.cert };
  },
  "the certificate is not yet valid": (paths) => ({ path: paths.cert, nowMs: 0 }),
  "the CA is missing": (paths) => ({ path: paths.clientCa = `${paths.cert}.ca` }),
  "the CA is garbage": (paths) => {
    paths.clientCa = `${paths.cert}.ca`;
    writeFileSync(paths.clientCa, "garbage");
    return { path: paths.clientCa };
  },
  "the certificate is a folder": (paths) => ({ path: paths.cert = tmpdir() }),
};

for (const [what, spoil] of Object.entries(FAULTS)) {
  test(`loadTls() refuses and names the file when ${what} (61)`, async (context) => {
    const paths = files(context);
    const { path, nowMs } = spoil(paths);
    await assert.rejects(load(paths, [], nowMs), (error) => {
      assert.ok(isJobError(error, "invalid_config"));
      assert.ok(error.message.includes(path), error.message);
      assert.ok(error.hint);
      return true;
    });
  });
}
