import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { CONFIG_KEYS, folderDaemon } from "../../../src/cli/contexts/folder_daemon.ts";
import { findDaemon } from "../../../src/cli/contexts/find_daemon.ts";
import { Args } from "../../../src/cli/parsing/args.ts";
import { CONNECTION_OPTIONS } from "../../../src/cli/parsing/options.ts";
import { SCHEMA } from "../../../src/config/keys.ts";
import { isJobError } from "../../../src/core/errors.ts";

interface World {
  readonly home: string;
  readonly folder: string;
  find(
    values?: Readonly<Record<string, string | true>>,
    env?: Readonly<Record<string, string>>,
  ): ReturnType<typeof findDaemon>;
}

const CONTEXTS = `
current = "dev"

[contexts.dev]
port = 59100

[contexts.prod]
host = "jobs.example.com"
tls = true
token = "prod-token"
`;

/** A folder with a configuration and a home with contexts, each if its text is given. */
async function world(
  { config, contexts }: { readonly config?: string; readonly contexts?: string },
  run: (at: World) => Promise<void>,
): Promise<void> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "contexts-")));
  const [home, folder] = [join(root, "home"), join(root, "folder")];
  mkdirSync(join(home, ".config", "jobctl"), { recursive: true });
  mkdirSync(folder);
  if (config !== undefined) writeFileSync(join(folder, "config.toml"), config);
  if (contexts !== undefined) {
    const file = join(home, ".config", "jobctl", "contexts.toml");
    writeFileSync(file, contexts, { mode: 0o600 });
  }
  const find: World["find"] = (values = {}, env = {}) => {
    const all = { HOME: home, ...env };
    const input = { words: {}, values, specs: CONNECTION_OPTIONS, env: all, nowMs: 0, named: [] };
    return findDaemon(new Args(input), { env: all, cwd: folder });
  };
  try {
    await run({ home, folder, find });
  } finally {
    rmSync(root, { recursive: true });
  }
}

const ALL = { config: "[server]\nport = 59200\n", contexts: CONTEXTS };
const none = async (promise: Promise<unknown>, code: string, pattern: RegExp) => {
  await assert.rejects(promise, (error) => {
    assert.ok(isJobError(error), String(error));
    assert.equal(error.code, code);
    assert.match(`${error.message} ${error.hint}`, pattern);
    return true;
  });
};

test("findDaemon() asks options, --context, variables, the folder, the current context, the default", async () => {
  await world(ALL, async ({ find, folder }) => {
    const env = { JOBCTL_PORT: "59300" };
    const ports = [
      (await find({ port: "59400" }, env)).settings.port,
      (await find({ context: "dev" }, env)).settings.port,
      (await find({}, env)).settings.port,
      (await find({}, { JOBCTL_CONTEXT: "dev" })).settings.port,
      (await find()).settings.port,
    ];
    assert.deepEqual(ports, [59_400, 59_100, 59_300, 59_100, 59_200]);
    assert.equal((await find()).source, join(folder, "config.toml"));
  });
  await world({ contexts: CONTEXTS }, async ({ find }) => {
    const { settings, source } = await find();
    assert.deepEqual([settings.port, source], [59_100, 'context "dev", the current one']);
  });
  await world({}, async ({ find }) => {
    const { settings, source } = await find();
    assert.deepEqual([settings.host, settings.port, source], ["localhost", 59_051, "the default"]);
  });
});

test("findDaemon() gives a context its own credentials, and never those of variables", async () => {
  await world(ALL, async ({ find }) => {
    const env = { JOBCTL_TOKEN: "token-of-a-variable", JOBCTL_TLS_CA: "/ca.pem" };
    const { settings } = await find({ context: "prod" }, env);
    assert.deepEqual([settings.host, settings.token], ["jobs.example.com", "prod-token"]);
    assert.equal(settings.tls?.ca, undefined);
    assert.equal((await find({ context: "dev" }, env)).settings.token, undefined);
  });
});

test("findDaemon() lets credentials in options replace those of a context", async () => {
  await world(ALL, async ({ find }) => {
    const { settings } = await find({ context: "prod", "token-file": "/other.token" });
    assert.deepEqual([settings.token, settings.tokenFile], [undefined, "/other.token"]);
    assert.equal(settings.host, "jobs.example.com");
  });
});

test("findDaemon() refuses two addresses", async () => {
  await world(ALL, async ({ find }) => {
    await none(find({ context: "prod", host: "x" }), "invalid_argument", /--context with --host/);
    const env = { JOBCTL_CONTEXT: "prod", JOBCTL_TOKEN: "x" };
    await none(find({}, env), "invalid_argument", /JOBCTL_CONTEXT with JOBCTL_TOKEN/);
  });
});

test("findDaemon() sends no token of the line to the address of a folder", async () => {
  await world(ALL, async ({ find }) => {
    await none(find({ token: "x" }), "invalid_argument", /--token at the address of .*config.toml/);
    await none(find({ "tls-cert": "x" }), "invalid_argument", /--tls-cert at the address/);
    assert.equal((await find({ token: "x", port: "59051" })).settings.port, 59_051);
  });
  // This is the default, to which the token would go without the file, too.
  await world({ config: "[jobs.a]\ncommand = ['a']\n" }, async ({ find }) => {
    const { settings, source } = await find({ token: "x" });
    assert.deepEqual([settings.port, settings.token, source], [59_051, "x", "the default"]);
  });
});

test("findDaemon() gives the folder no token of a variable or of a context", async () => {
  await world(ALL, async ({ find }) => {
    const { settings, source } = await find({}, { JOBCTL_TOKEN: "x" });
    assert.deepEqual([settings.port, source], [59_051, "JOBCTL_TOKEN"]);
    const { token, tokenFile } = (await find()).settings;
    assert.deepEqual([token, tokenFile], [undefined, undefined]);
  });
});

test("findDaemon() leaves alone the current context of another user, as with sudo", async (context) => {
  if (process.getuid?.() !== 0) return context.skip("only root can give a file away");
  await world({ contexts: CONTEXTS }, async ({ home, find }) => {
    const file = join(home, ".config", "jobctl", "contexts.toml");
    chownSync(file, 65_534, 65_534);
    const { source, passedOver } = await find();
    assert.deepEqual([source, passedOver], ["the default", [
      `${file}: it belongs to another user`,
    ]]);
    await none(find({ context: "prod" }), "permission_denied", /is not trusted: it belongs to/);
  });
});

test("findDaemon() names the nearest context", async () => {
  await world(ALL, async ({ find }) => {
    await none(find({ context: "prd" }), "not_found", /"prd": no such context Did you mean "prod"/);
  });
  await world({}, async ({ find }) => {
    await none(find({ context: "prod" }), "not_found", /There are none yet: jobctl context add/);
  });
});

test("findDaemon() refuses contexts that others can read or write", async () => {
  for (const mode of [0o640, 0o604, 0o666]) {
    await world(ALL, async ({ home, find }) => {
      chmodSync(join(home, ".config", "jobctl", "contexts.toml"), mode);
      const wanted = /other users can read it .*chmod 600|can write to it/;
      await none(find({ context: "prod" }), "permission_denied", wanted);
    });
  }
});

for (
  const [text, problem] of [
    ["current = 1", /current is not a text/],
    ["nonsense", /it is not TOML in line 1/],
    ["x = 1", /"x" is not a key/],
    ["contexts = 1", /contexts is not a table/],
    ["[contexts.a]\nhots = 'x'", /context "a" has the unknown key "hots"/],
    ["[contexts.a]\ntls = 'x'", /tls of context "a" is not true or false/],
    ["[contexts.a]\nhost = []", /host of context "a" is not a text/],
    ["[contexts.'-x']\nhost = 'x'", /has a name that is not one/],
  ] as const
) {
  test(`findDaemon() refuses contexts with ${JSON.stringify(text)}`, async () => {
    await world({ contexts: text }, async ({ find }) => {
      await none(find({ context: "a" }), "invalid_config", problem);
    });
  });
}

const valuesOf = async (config: string) => {
  let found: Awaited<ReturnType<typeof folderDaemon>> = null;
  await world({ config }, async ({ folder }) => {
    found = await folderDaemon(folder);
  });
  return found as Awaited<ReturnType<typeof folderDaemon>>;
};

for (
  const [config, values] of [
    ["timezone = 'UTC'", { host: "127.0.0.1", port: "59051" }],
    ["[server]\nhost = '::1'\nport = 1", { host: "::1", port: "1" }],
    ["[server]\nhost = '0.0.0.0'", { host: "localhost", port: "59051" }],
    ["[server]\nport = ''", { host: "localhost", port: "59051" }],
    ["[server]\nport = ''\nsocket = '/none/s'", { socket: "/none/s" }],
    ["[server]\nsocket = ''", { host: "127.0.0.1", port: "59051", socket: "none" }],
  ] as const
) {
  test(`folderDaemon() reads ${JSON.stringify(config)}`, async () => {
    assert.deepEqual((await valuesOf(config) as { values: unknown }).values, values);
  });
}

for (
  const [config, problem] of [
    ["[server]\nhost = 'evil.example'", /"evil.example" is not an address of this machine alone/],
    ["[server]\nhost = '10.0.0.1'", /not an address of this machine/],
    ["[server]\nhost = 'localhost.evil.example'", /not an address of this machine/],
    ["[server]\nhost = '127.0.0.1.evil.example'", /not an address of this machine/],
    ["[server]\nhost = '${HOST}'", /server.host is not a plain text/],
    ["[server]\nport = 0", /not a port/],
    ["[server]\nport = ''\nsocket = ''", /are off/],
    ["[server]\nport = '59051'", /not a port/],
    ["[server]\nsocket = 1", /server.socket is not a plain text/],
    ["server = 1", /server is not a table/],
    ["[server", /it is not TOML in line 1/],
  ] as const
) {
  test(`folderDaemon() does not use ${JSON.stringify(config)}`, async () => {
    assert.match((await valuesOf(config) as { problem: string }).problem, problem);
  });
}

for (const config of ["baseURL = 'https://x/'\n[server]\nport = 1", "[package]\nname = 'x'"]) {
  test(`folderDaemon() leaves alone what is not a configuration: ${JSON.stringify(config)}`, async () => {
    await world({ config, contexts: CONTEXTS }, async ({ find }) => {
      const { settings, passedOver } = await find();
      assert.equal(settings.port, 59_100);
      assert.match(passedOver[0]!, /config.toml: "\w+" is not a key of jobctl/);
    });
  });
}

test("folderDaemon() does not believe a file or folder that others can change", async (context) => {
  if (process.platform === "win32") return context.skip("Windows shows no owners");
  await world(ALL, async ({ folder, find }) => {
    chmodSync(join(folder, "config.toml"), 0o646);
    const { settings, source, passedOver } = await find();
    assert.deepEqual([settings.port, source], [59_100, 'context "dev", the current one']);
    assert.match(passedOver[0]!, /config.toml" is not trusted: every user can write to it/);
  });
  await world(ALL, async ({ folder, find }) => {
    chmodSync(folder, 0o757);
    assert.match((await find()).passedOver[0]!, /is not trusted: every user can write to it/);
  });
});

test("folderDaemon() uses a socket that the file names, if there is one", async () => {
  await world(
    { config: "[server]\nsocket = 'a.sock'\nport = 59200\n" },
    async ({ folder, find }) => {
      assert.deepEqual([(await find()).settings.socket, (await find()).settings.port], [
        null,
        59_200,
      ]);
      const server = createServer().listen(join(folder, "a.sock"));
      await new Promise((resolve) => server.once("listening", resolve));
      assert.equal((await find()).settings.socket, join(folder, "a.sock"));
      await new Promise((resolve) => server.close(resolve));
    },
  );
});

const TOKEN = "abcdefghijABCDEFGHIJ0123456789-_abcdefghijk";

test("folderDaemon() reads the folder's own token file, and no other file", async () => {
  const config = (file: string) =>
    `[server]\nsocket = ""\n[server.auth]\ntoken_file = ${JSON.stringify(file)}\n`;
  const tokenFile = async (file: string, text: string, prepare?: (folder: string) => void) => {
    let found: string | undefined;
    await world({ config: config(file) }, async ({ folder, find }) => {
      writeFileSync(join(folder, "own.token"), text, { mode: 0o600 });
      prepare?.(folder);
      found = (await find()).settings.tokenFile?.slice(folder.length);
    });
    return found;
  };
  assert.equal(await tokenFile("own.token", `${TOKEN}\n`), "/own.token");
  assert.equal(await tokenFile("own.token", "-----BEGIN OPENSSH PRIVATE KEY-----\n"), undefined);
  assert.equal(await tokenFile("own.token", `${TOKEN}x\n`), undefined);
  assert.equal(await tokenFile("../home/x", TOKEN), undefined);
  assert.equal(await tokenFile("/etc/hostname", TOKEN), undefined);
  const link = (folder: string) => symlinkSync(join(folder, "own.token"), join(folder, "link"));
  assert.equal(await tokenFile("link", TOKEN, link), undefined);
  const elsewhere = (folder: string) => {
    const other = mkdtempSync(join(folder, "..", "other-"));
    writeFileSync(join(other, "x.token"), TOKEN, { mode: 0o600 });
    symlinkSync(other, join(folder, "linked"));
  };
  assert.equal(await tokenFile("linked/x.token", TOKEN, elsewhere), undefined);
  assert.equal(await tokenFile("missing", TOKEN), undefined);
});

test("folderDaemon() knows every key and table of a configuration", () => {
  assert.deepEqual([...CONFIG_KEYS].sort(), [...SCHEMA.children.get("")!].sort());
});
