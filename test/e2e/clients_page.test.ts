import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Daemon, startDaemon } from "../support/processes/daemon.ts";
import { packedLibrary } from "../support/processes/packed_library.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { until } from "../support/wait.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIN = join(ROOT, "node_modules", ".bin");
const PAGE = readFileSync(join(ROOT, "docs", "clients.md"), "utf8");
const TOKEN = "token-of-the-web-application";
const TOML = `[server.auth]
tokens = [{ name = "web", role = "operator", jobs = ["report"], token = "${TOKEN}" }]
`;
const REPORT = "export default (day: string): string => `report of ${day}`;\n";
const execute = promisify(execFile);

/** The programs of the page by the file name in their first line. */
function programs(): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  let count = 0;
  for (const [, source] of PAGE.matchAll(/```ts\n([\s\S]*?)```/g)) {
    count += 1;
    found[/^\/\/ (\w+\.ts)\n/.exec(source!)?.[1] ?? `example_${count}.ts`] = source!;
  }
  return found;
}

/** A folder with the page's programs, where the packed library and Hono are installed. */
async function withProject(body: (path: string) => Promise<void>): Promise<void> {
  await withTempDir({ "package.json": '{ "type": "module" }', ...programs() }, async ({ path }) => {
    const modules = join(path, "node_modules");
    mkdirSync(join(modules, "@hono"), { recursive: true });
    for (const name of ["hono", "@hono/node-server", "@types", "undici-types"]) {
      symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
    }
    symlinkSync(library, join(modules, "ts-job"));
    await body(path);
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** How the page starts the application on each runtime. */
const RUNTIMES: Readonly<Record<string, (port: number) => readonly [string, ...string[]]>> = {
  bun: () => [join(BIN, "bun"), "run", "app.ts"],
  deno: (
    port,
  ) => [
    join(BIN, "deno"),
    "serve",
    "--allow-all",
    ...["--host", "127.0.0.1", "--port", `${port}`],
    "app.ts",
  ],
  // The Node of the machine may be too old for TypeScript; the programs have no types to strip.
  node: () => ["node", "server.mjs"],
};

let daemon: Daemon;
let library: string;

before(async () => {
  library = await packedLibrary();
  daemon = await startDaemon({ toml: TOML, modules: { "report.ts": REPORT } });
});

after(() => daemon.stop());

test("docs/clients.md compiles under strict, with the declarations of the packed library", async () => {
  await withProject(async (path) => {
    const strict = ["--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes"];
    const how = ["--module", "nodenext", "--target", "es2022", "--types", "node", "--noEmit"];
    const rest = ["--allowImportingTsExtensions", ...Object.keys(programs())];
    const { stdout } = await execute(join(BIN, "tsc"), [...strict, ...how, ...rest], { cwd: path })
      .catch((error: { readonly stdout: string }) => error);
    assert.equal(stdout, "");
  });
});

/** Start the application and wait until it answers. */
async function startApp(path: string, runtime: string, port: number): Promise<ChildProcess> {
  const [command, ...args] = RUNTIMES[runtime]!(port);
  const client = programs()["app.ts"]!.replace(
    "connect({ socket: process.env.JOBCTL_SOCKET })",
    `connect({ socket: null, port: ${daemon.port}, token: "${TOKEN}" })`,
  );
  assert.ok(client.includes(TOKEN));
  writeFileSync(join(path, "app.ts"), client);
  writeFileSync(join(path, "app.mjs"), client);
  writeFileSync(
    join(path, "server.mjs"),
    programs()["server.ts"]!.replace("./app.ts", "./app.mjs"),
  );
  const app = spawn(command, args, {
    cwd: path,
    env: { ...process.env, PORT: `${port}`, DENO_NO_UPDATE_CHECK: "1" },
    stdio: ["ignore", "inherit", "inherit"],
  });
  await until(`the application answers on ${runtime}`, async () => {
    assert.equal(app.exitCode, null, `${runtime} ended`);
    return await fetch(`http://127.0.0.1:${port}/`).then(
      ({ status }) => status === 404,
      () => false,
    );
  });
  return app;
}

/** The events of a stream of server-sent events, as they come. */
async function* eventsOf(response: Response): AsyncGenerator<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of response.body!) {
    text += decoder.decode(bytes as Uint8Array, { stream: true });
    const events = text.split("\n\n");
    text = events.pop()!;
    yield* events;
  }
}

for (const runtime of Object.keys(RUNTIMES)) {
  test(`the web application of docs/clients.md works on ${runtime}`, async () => {
    await withProject(async (path) => {
      const port = await freePort();
      const app = await startApp(path, runtime, port);
      const stop = new AbortController();
      try {
        const base = `http://127.0.0.1:${port}`;
        const changes = eventsOf(await fetch(`${base}/changes`, { signal: stop.signal }));
        assert.match((await changes.next()).value!, /event: alive/);
        const started = await fetch(`${base}/reports/day-${runtime}`, { method: "POST" });
        assert.equal(started.status, 202);
        const { id } = await started.json() as { id: string };
        for await (const event of changes) {
          if (event.includes(`id: ${id}`) && event.includes("data: COMPLETED")) break;
        }
        const shown = await fetch(`${base}/reports/${id}`);
        assert.deepEqual(await shown.json(), {
          state: "COMPLETED",
          results: [`report of day-${runtime}`],
        });
        const unknown = await fetch(`${base}/reports/${crypto.randomUUID()}`);
        assert.equal(unknown.status, 404);
        assert.match(await unknown.text(), /no such instance/);
      } finally {
        stop.abort();
        app.kill("SIGKILL");
        if (app.exitCode === null && app.signalCode === null) await once(app, "exit");
      }
    });
  });
}
