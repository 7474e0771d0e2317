import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { launchBrowser, WITHOUT_BROWSER } from "../../support/browser/browser.ts";
import { type Daemon, JOBCTL, startDaemon } from "../../support/processes/daemon.ts";
import { FOREIGN_UID, NEEDS_ROOT } from "../../support/processes/foreign_user.ts";
import { until } from "../../support/wait.ts";

const NEEDS_PROC = existsSync("/proc/net/tcp") ? false : "the kernel names no users of connections";

/** A desktop whose browser is this test: it only says which file it is to show. */
interface Desktop {
  readonly runtime: string;
  /** The command line of the opener, once it was started. */
  opened(): Promise<string>;
  readonly exited: Promise<number | null>;
  output(): string;
  interrupt(): void;
}

/** Run `jobctl open` on a terminal of a desktop. */
function openOnDesktop(daemon: Daemon): Desktop {
  const runtime = join(daemon.dir, "runtime");
  const bin = join(daemon.dir, "bin");
  for (const dir of [runtime, bin]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  const record = join(daemon.dir, "opened");
  writeFileSync(
    join(bin, "xdg-open"),
    `#!/bin/sh\nprintf %s "$*" > ${record}.new\nmv ${record}.new ${record}\n`,
  );
  chmodSync(join(bin, "xdg-open"), 0o755);
  const child = spawn("script", ["-qec", `${JOBCTL} open`, "/dev/null"], {
    cwd: daemon.dir,
    env: {
      ...{ PATH: `${bin}:${process.env["PATH"]}`, DISPLAY: ":9", TERM: "xterm", HOME: daemon.dir },
      ...{ XDG_RUNTIME_DIR: runtime, JOBCTL_SOCKET: join(daemon.dir, "jobctl.sock") },
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    runtime,
    exited,
    output: () => output,
    interrupt: () => void child.stdin.write("\x03"),
    async opened() {
      await until("the opener has run", () => existsSync(record));
      return readFileSync(record, "utf8");
    },
  };
}

/** The files and folders below a folder of which others may read anything. */
function openFiles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const { mode } = statSync(join(entry.parentPath, entry.name));
    return (mode & 0o077) === 0 ? [] : [entry.name];
  });
}

/** Everything that any user can read about the processes of the machine. */
function commandLines(): string {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8");
    } catch {
      return "";
    }
  }).join("\n");
}

test("jobctl open logs Chromium in with a page for its user alone, and removes it", {
  skip: WITHOUT_BROWSER,
  timeout: 60_000,
}, async () => {
  const daemon = await startDaemon();
  const browser = await launchBrowser();
  try {
    const desktop = openOnDesktop(daemon);
    const path = await desktop.opened();
    assert.match(path, new RegExp(`^${desktop.runtime}/jobctl-open-\\w+/open\\.html$`));
    assert.deepEqual(openFiles(desktop.runtime), []);
    const code = /name="code" value="([\w-]{43})"/.exec(readFileSync(path, "utf8"))![1]!;
    assert.equal((commandLines() + desktop.output()).includes(code), false);
    const page = await browser.newPage();
    const urls: string[] = [];
    page.on("request", (request) => urls.push(request.url()));
    await page.goto(`file://${path}`);
    await page.waitForURL(`http://127.0.0.1:${daemon.httpPort}/`);
    await page.getByRole("heading", { name: "Now" }).waitFor();
    assert.equal(urls.some((url) => url.includes(code)), false);
    assert.equal(await desktop.exited, 0, desktop.output());
    assert.deepEqual(readdirSync(desktop.runtime), []);
    assert.equal((desktop.output() + daemon.log()).includes(code), false);
  } finally {
    await browser.close();
    await daemon.stop({ force: true });
  }
});

test("jobctl open removes its page at Ctrl-C", { timeout: 30_000 }, async () => {
  const daemon = await startDaemon();
  try {
    const desktop = openOnDesktop(daemon);
    assert.ok(existsSync(await desktop.opened()));
    desktop.interrupt();
    await desktop.exited;
    assert.deepEqual(readdirSync(desktop.runtime), []);
  } finally {
    await daemon.stop({ force: true });
  }
});

/** A server that leaves a service worker and a stored value in browsers. */
async function plantingServer(): Promise<Server> {
  const server = createServer((request, response) => {
    const isScript = request.url === "/worker.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? "addEventListener('fetch', () => {});" : "<title>planted</title>");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

test("a login removes the service worker of a server that had the port before", {
  skip: WITHOUT_BROWSER,
  timeout: 60_000,
}, async () => {
  const server = await plantingServer();
  const { port } = server.address() as AddressInfo;
  const browser = await launchBrowser();
  let daemon: Daemon | null = null;
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.evaluate(`localStorage.setItem("planted", "yes");
      navigator.serviceWorker.register("/worker.js").then(() => navigator.serviceWorker.ready)`);
    server.closeAllConnections();
    server.close();
    await once(server, "close");
    daemon = await startDaemon({ env: { JOBCTL_SERVER_HTTP: `127.0.0.1:${port}` } });
    const { stdout } = await daemon.jobctl(["open", "--print", "-o", "name"]);
    await page.goto(stdout.trim());
    await page.getByRole("heading", { name: "Now" }).waitFor();
    const left = await page.evaluate(`navigator.serviceWorker.getRegistrations()
      .then((found) => [found.length, localStorage.getItem("planted")])`);
    assert.deepEqual(left, [0, null]);
  } finally {
    await browser.close();
    await daemon?.stop({ force: true });
  }
});

/** Make a request as a user, and return status and cookie. */
async function requestAs(
  uid: number,
  url: string,
  options: { readonly cookie?: string; readonly form?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly status: number; readonly cookie: string }> {
  const { cookie, form } = options;
  const init = {
    redirect: "manual",
    headers: { "sec-fetch-site": "same-origin", ...(cookie ? { cookie } : {}) },
    ...(form ? { method: "POST", body: new URLSearchParams(form).toString() } : {}),
  };
  const headers = form ? { "content-type": "application/x-www-form-urlencoded" } : {};
  const source = `const init = ${
    JSON.stringify({ ...init, headers: { ...init.headers, ...headers } })
  };
    const response = await fetch(${JSON.stringify(url)}, init);
    const cookie = (response.headers.get("set-cookie") ?? "").split(";")[0];
    console.log(JSON.stringify({ status: response.status, cookie }));`;
  const child = spawn(process.execPath, ["-e", source], {
    ...{ uid, gid: uid, cwd: "/", env: { PATH: "/usr/bin:/bin" } },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  await new Promise((resolve) => child.once("close", resolve));
  return JSON.parse(output);
}

test("codes and sessions of a user of this machine are worth nothing to another user", {
  skip: NEEDS_ROOT || NEEDS_PROC,
  timeout: 60_000,
}, async () => {
  const [own, other] = [FOREIGN_UID, FOREIGN_UID - 1];
  const daemon = await startDaemon();
  const site = `http://127.0.0.1:${daemon.httpPort}`;
  const codeFor = async (...args: string[]) => {
    const { stdout, stderr } = await daemon.jobctl(["open", "-o", "name", ...args], {
      env: { JOBCTL_TOKEN_FILE: undefined },
    });
    return /code=([\w-]{43})\n/.exec(stdout)?.[1] ?? assert.fail(stderr);
  };
  try {
    // It was made over the Unix socket, by root.
    const stolen = await codeFor();
    assert.equal((await requestAs(other, `${site}/login?code=${stolen}`)).status, 403);
    assert.equal((await requestAs(other, `${site}/login`, { form: { code: stolen } })).status, 403);
    assert.equal((await requestAs(0, `${site}/login?code=${stolen}`)).status, 303);
    await daemon.logged(/the code is for another user of this machine/);

    const code = await codeFor("--user", String(own));
    assert.equal((await requestAs(other, `${site}/login?code=${code}`)).status, 403);
    const { status, cookie } = await requestAs(own, `${site}/login?code=${code}`);
    assert.equal(status, 303);
    const statusOf = async (uid: number) =>
      (await requestAs(uid, `${site}/api/v1/caller`, { cookie })).status;
    assert.equal(await statusOf(own), 200);
    assert.equal(await statusOf(other), 401);
    assert.equal(await statusOf(0), 200);
    await daemon.logged(/Refused a session to another user of this machine/);
  } finally {
    await daemon.stop({ force: true });
  }
});
