import { execFile } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import zlib from "node:zlib";
import { type Entry, tar } from "../../../scripts/release/archive.mjs";
import { installScript } from "../../../scripts/release/install_script.ts";
import { signBytes } from "../../../scripts/release/sign.ts";

/** A small release whose program is a shell script, and the systems that install.sh runs in. */

const AT_MS = Date.UTC(2026, 10, 27, 12);
const HOMEPAGE = "https://install.test/ts-job";
export const TARGET = process.arch === "arm64" ? "linux-arm64" : "linux-x64";

/** What install.sh uses of every system. */
const TOOLS =
  "awk cat chmod cmp cut find getconf grep gzip head id ldd ls mkdir mktemp mv printf ps rm rmdir sed " +
  "sha256sum sh sort sync tail tar timeout tr uname wc";

/** Shells that can run it, where they are on this machine. */
export const SHELLS: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries({
    dash: ["/bin/dash"],
    bash: ["/bin/bash", "--posix"],
    busybox: ["/bin/busybox", "sh"],
  }).filter(([, [program]]) => existsSync(program!)),
);

/** Where a program of this machine is; null if it is not. */
export function whereIs(program: string): string | null {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin", "/bin", "/sbin"];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path)) ?? null;
}

/** The shell that most tests run it in. */
export const SHELL = SHELLS["dash"] ?? ["/bin/sh"];
/** What can check a signature, and what can download, where they are on this machine. */
export const SIGNERS = ["minisign", "openssl"].filter((name) => whereIs(name) !== null);
export const LOADERS = ["curl", "wget"].filter((name) => whereIs(name) !== null);

/** A folder for PATH that has only what every system has, and `tools`. */
export function systemWith(folder: string, tools: readonly string[]): string {
  mkdirSync(folder, { recursive: true });
  for (const name of [...TOOLS.split(" "), ...tools]) {
    const path = whereIs(name);
    if (path !== null) symlinkSync(path, join(folder, name));
  }
  return folder;
}

/** A folder for PATH in which every program is busybox, but for `tools`. */
export function busyboxWith(folder: string, tools: readonly string[]): string {
  mkdirSync(folder, { recursive: true });
  for (const name of [...TOOLS.split(" "), "wget"]) {
    // Its ldd and getconf would be of the C library.
    if (!["ldd", "getconf"].includes(name)) symlinkSync("/bin/busybox", join(folder, name));
  }
  for (const name of tools) symlinkSync(whereIs(name)!, join(folder, name));
  return folder;
}

const { privateKey } = generateKeyPairSync("ed25519");
const ID = Buffer.from("76543210");

/** The key of the release. */
export const KEY = {
  id: ID,
  key: privateKey,
  publicKey: Buffer.concat([
    Buffer.from("Ed"),
    ID,
    Buffer.from(privateKey.export({ format: "jwk" }).x!, "base64url"),
  ]).toString("base64"),
};

export interface FakeRelease {
  /** Its files by name. */
  readonly files: Map<string, Uint8Array>;
  /** install.sh with its version and key. */
  readonly script: string;
}

/** What the fake program prints for `--version` is its version. */
export function programOf(version: string): string {
  return `#!/bin/sh\nif [ "$1" = --version ]; then echo ${version}; else exit 64; fi\n`;
}

/** The files of an archive. */
export function entriesOf(version: string, target = TARGET): Entry[] {
  const text = (path: string, content: string, mode = 0o644) => ({
    path: `jobctl-${version}-${target}/${path}`,
    bytes: Buffer.from(content),
    mode,
  });
  return [
    text("jobctl", programOf(version), 0o755),
    text("LICENSE", "The license\n"),
    text("completions/jobctl.bash", `complete ${version}\n`),
    text("completions/_jobctl", "#compdef jobctl\n"),
    text("completions/jobctl.fish", "complete -c jobctl\n"),
    text("completions/jobctl.nu", "# nushell\n"),
    text("completions/jobctl.ps1", "# PowerShell\n"),
    text("man/jobctl.1", `.TH jobctl ${version}\n`),
    text("systemd/jobctl.service", "[Unit]\n"),
  ];
}

/** A release; `archive` is the tar archive in place of a good one. */
export function makeFakeRelease(
  version: string,
  { target = TARGET, archive = tar(entriesOf(version, target), { atMs: AT_MS }) }: {
    readonly target?: string;
    readonly archive?: Uint8Array;
  } = {},
): FakeRelease {
  const files = new Map<string, Uint8Array>();
  const name = `jobctl-${version}-${target}`;
  files.set(`${name}.tar.gz`, zlib.gzipSync(archive));
  files.set(`${name}.tar.zst`, zlib.zstdCompressSync(archive));
  signFiles(files, `jobctl ${version}, commit 0123`);
  const script = installScript({ version, homepage: HOMEPAGE }, { publicKey: KEY.publicKey });
  return { files, script };
}

/** Write the sums and sign them, as after a change. */
export function signFiles(files: Map<string, Uint8Array>, comment: string): void {
  const sums = [...files].filter(([name]) => !name.startsWith("SHA256SUMS"))
    .map(([name, bytes]) => `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`);
  files.set("SHA256SUMS", Buffer.from(sums.join("")));
  const signature = signBytes(files.get("SHA256SUMS")!, KEY, comment);
  files.set("SHA256SUMS.minisig", Buffer.from(signature));
}

/** Write the files of a release into a folder. */
export function writeRelease(folder: string, { files }: FakeRelease): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
  return folder;
}

/** Serve `files` while `body` runs; `answer` may respond first, and says whether it did. */
export async function withServer<T>(
  files: Map<string, Uint8Array>,
  body: (url: string) => Promise<T>,
  answer: (...args: Parameters<RequestListener>) => boolean = () => false,
): Promise<T> {
  const server = createServer((request, response) => {
    if (answer(request, response)) return;
    const bytes = files.get(request.url!.slice(1));
    response.writeHead(bytes ? 200 : 404).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

export interface Ended {
  readonly code: number | null;
  readonly text: string;
}

/** Run install.sh with nothing in the environment but PATH and `env`. */
export function runScript(
  shell: readonly string[],
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Ended> {
  const [program, ...before] = shell;
  return new Promise((resolve) => {
    execFile(program!, [...before, ...args], { env }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : null;
      resolve({ code, text: stdout + stderr });
    });
  });
}

/** Every file and folder below a folder, with its mode. */
export function treeOf(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return (readdirSync(folder, { recursive: true }) as string[]).sort().map((name) => {
    const stats = statSync(join(folder, name), { throwIfNoEntry: false });
    return `${stats === undefined ? "----" : (stats.mode & 0o7777).toString(8)} ${name}`;
  });
}

/** A program for PATH. */
export function writeTool(folder: string, name: string, text: string): void {
  const path = join(folder, name);
  writeFileSync(`${path}.new`, text);
  chmodSync(`${path}.new`, 0o755);
  // Never through the link to the system's own.
  renameSync(`${path}.new`, path);
}
