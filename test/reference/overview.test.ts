import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { JOBCTL } from "../support/processes/daemon.ts";
import { type EtcdServer, startEtcd } from "../support/servers/etcd_server.ts";
import {
  ProgramLibrary,
  ROOT,
  type Runtime,
  USUAL_RUNTIMES,
} from "../support/processes/runtimes.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { startValkey, type ValkeyServer } from "../support/servers/valkey_server.ts";

const library = new ProgramLibrary();
const SOURCE = readFileSync(join(ROOT, "test/reference/overview.ts"), "utf8");
const ROWS = 55;
/**
 * Rows that run commands of the compiled file: once, as the runtime of the library is not in them.
 */
const COMMAND_ROWS = 8;
let servers: { readonly valkey: ValkeyServer; readonly etcd: EtcdServer };

before(async () => {
  const [valkey, etcd] = await Promise.all([startValkey(), startEtcd()]);
  servers = { valkey, etcd };
});

after(async () => {
  await servers.valkey.close();
  await servers.etcd.close();
});

/** What the program prints on a runtime; its errors if it prints nothing. */
function run(
  file: string,
  { command: [program, ...args] }: Runtime,
  withCommands: boolean,
): Promise<string> {
  const env = {
    ...process.env,
    ...withCommands ? { JOBCTL } : {},
    MY_STORE: join(ROOT, "examples/my-store.ts"),
    VALKEY_URL: servers.valkey.url,
    ETCD_URL: servers.etcd.url,
  };
  return new Promise((resolve) => {
    execFile(
      program!,
      [...args, file],
      { cwd: ROOT, timeout: 100_000, env },
      (_, stdout, stderr) => resolve(stdout.includes("ok ") ? stdout : stderr),
    );
  });
}

for (const [index, runtime] of USUAL_RUNTIMES.entries()) {
  const withCommands = index === 0;
  test(`every row of go-job's feature overview works on ${runtime.name}`, () =>
    withTempDir({}, async ({ path }) => {
      const printed = await run(library.write(path, SOURCE), runtime, withCommands);
      const rows = printed.split("\n").filter((line) => /^(not )?ok /.test(line));
      assert.equal(rows.length, withCommands ? ROWS : ROWS - COMMAND_ROWS, printed);
      assert.ok(rows.every((row) => row.startsWith("ok ")), printed);
    }));
}
