import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after, before } from "node:test";
import { promisify } from "node:util";
import { packedLibrary } from "../support/processes/packed_library.ts";
import { ROOT, RUNTIMES } from "../support/processes/runtimes.ts";

const execute = promisify(execFile);

/** Most bytes of ts-job, unpacked. A program in it by mistake has more. */
const UNPACKED_MAX = 20_000_000;

/** Node runs the command by `execve`; without it, the command waits for a child. */
const NODE = RUNTIMES.find(({ name }) => name === "Node 24")!.command[0]!;
const WITHOUT_EXECVE = ["--import", "data:text/javascript,delete process.execve"];

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin: Readonly<Record<string, string>>;
}

interface Published {
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

let folder: string;
let manifest: Manifest;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "ts-job-npm-"));
  cpSync(await packedLibrary(), join(folder, "ts-job"), { recursive: true });
  manifest = JSON.parse(readFileSync(join(folder, "ts-job", "package.json"), "utf8"));
});

after(() => rmSync(folder, { recursive: true, force: true }));

let asked: Promise<Published> | null = null;

/** What npm would publish, asked once. */
function published(): Promise<Published> {
  return asked ??= askNpm();
}

async function askNpm(): Promise<Published> {
  const args = ["publish", "--dry-run", "--json", "--offline", "--loglevel=error"];
  const { stdout } = await execute("npm", args, { cwd: join(folder, "ts-job") });
  const answer = JSON.parse(stdout) as Published & { readonly "ts-job"?: Published };
  return answer["ts-job"] ?? answer;
}

test("npm publish takes the library, types, contract, commands and licenses, and nothing else", async () => {
  const { files, unpackedSize } = await published();
  const paths = files.map(({ path }) => path);
  const others = paths.filter((path) =>
    !/^dist\/[\w-]+\.js(\.map)?$|^types\/[\w/]+\.d\.ts$/.test(path)
  );
  assert.deepEqual(others.sort(), [
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "THIRD-PARTY-NOTICES",
    "bin/jobctl.js",
    "job.proto",
    "package.json",
  ]);
  const scripts = paths.filter((path) => path.startsWith("dist/") && path.endsWith(".js"));
  assert.deepEqual(scripts.filter((path) => !paths.includes(`${path}.map`)), []);
  const targets = Object.values(manifest.exports).flatMap((target) =>
    typeof target === "string" ? [target] : Object.values(target)
  );
  const named = [...targets, ...Object.values(manifest.bin)].map((path) => path.replace("./", ""));
  assert.deepEqual(named.filter((path) => !paths.includes(path)), []);
  assert.equal(files.find(({ path }) => path === "bin/jobctl.js")!.mode & 0o111, 0o111);
  assert.ok(unpackedSize < UNPACKED_MAX, `${unpackedSize} bytes`);
});

test("the published package needs one other package, and one program of its own version", () => {
  assert.deepEqual(Object.keys(manifest.dependencies), ["@bufbuild/protobuf"]);
  const programs = Object.entries(manifest.optionalDependencies);
  assert.equal(programs.length, 7);
  assert.deepEqual(programs.filter(([, version]) => version !== manifest.version), []);
  assert.ok(!("scripts" in manifest), "an install script does not run everywhere");
});

test("the published code imports only that package and the modules of Node", async () => {
  const { files } = await published();
  const wrong = files.map(({ path }) => path).filter((path) => /\.(js|d\.ts)$/.test(path))
    .flatMap((path) => {
      const text = readFileSync(join(folder, "ts-job", path), "utf8");
      const specifiers = [...text.matchAll(/^(?:import|export)\b[^"';]*? from "([^"]+)";$/gm)]
        .map(([, specifier]) => specifier!);
      return specifiers.filter((specifier) => !isKnown(specifier)).map((one) => `${path}: ${one}`);
    });
  assert.deepEqual(wrong, []);
});

function isKnown(specifier: string): boolean {
  // Texts of examples import the package itself.
  return /^(\.|ts-job$|node:|@bufbuild\/protobuf(\/|$))/.test(specifier) ||
    process.getBuiltinModule(specifier) !== undefined;
}

test("source maps have the text of our sources", () => {
  const map = JSON.parse(readFileSync(join(folder, "ts-job", "dist", "index.js.map"), "utf8")) as {
    readonly sources: readonly string[];
    readonly sourcesContent: readonly (string | null)[];
  };
  const index = map.sources.indexOf("../src/index.ts");
  assert.equal(map.sourcesContent[index], readFileSync(join(ROOT, "src", "index.ts"), "utf8"));
});

test("pages of the published package have no links to files that it lacks", () => {
  for (const page of ["README.md", "CHANGELOG.md"]) {
    const text = readFileSync(join(folder, "ts-job", page), "utf8");
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
    assert.deepEqual(links.filter((target) => !/^(https:|#)/.test(target)), [], page);
  }
});

test("exported functions and classes keep their names", async () => {
  const entry = join(folder, "ts-job", "dist", "index.js");
  const print = `import(${JSON.stringify(entry)}).then((all) => console.log(JSON.stringify(
    Object.entries(all).filter(([name, value]) => value.name !== name).map(([name]) => name))))`;
  const { stdout } = await execute(NODE, ["--no-warnings", "-e", print]);
  assert.deepEqual(JSON.parse(stdout), []);
});

/** Install a script as the program of this machine, beside the command. */
function installProgram(
  script: string,
  version = manifest.version,
  modules = join(folder, "node_modules"),
): void {
  const { platform, arch } = process;
  const suffix = existsSync("/lib/ld-musl-x86_64.so.1") && !existsSync("/lib64") ? "-musl" : "";
  const name = `@ts-job/cli-${platform}-${arch}${suffix}`;
  const home = join(modules, name);
  const program = join(home, "bin", "jobctl");
  mkdirSync(dirname(program), { recursive: true });
  writeFileSync(join(home, "package.json"), JSON.stringify({ name, version }));
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
}

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  "by execve": [],
  "as a child": WITHOUT_EXECVE,
};

for (const [how, flags] of Object.entries(COMMANDS)) {
  const start = (...args: string[]) =>
    spawn(NODE, [...flags, join(folder, "ts-job", "bin", "jobctl.js"), ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });

  test(`the command runs the program ${how} with its arguments, input, output and exit code`, async () => {
    installProgram('printf "%s|" "$@"; cat; exit 7');
    const child = start("a b", "", "--c=*");
    child.stdin.end("input");
    const output = await child.stdout.setEncoding("utf8").toArray();
    if (child.exitCode === null) await once(child, "exit");
    assert.deepEqual([output.join(""), child.exitCode], ["a b||--c=*|input", 7]);
  });

  test(`the command lets the program start with the signals of a shell ${how}`, {
    skip: process.platform !== "linux",
  }, async () => {
    installProgram("exec grep -E 'Sig(Blk|Ign)' /proc/self/status");
    const output = await start().stdout.setEncoding("utf8").toArray();
    assert.deepEqual(output.join("").match(/\d+/g), ["0".repeat(16), "0".repeat(16)]);
  });

  test(`the command passes signals on to the program ${how}, and ends by the same signal`, async () => {
    const trap = "trap 'trap - TERM; echo stopping; kill -TERM $$' TERM";
    installProgram(`${trap}; exec 3<&0; cat <&3 & echo ready; wait`);
    const child = start();
    const exit = once(child, "exit");
    const output: string[] = [];
    for await (const text of child.stdout.setEncoding("utf8")) {
      output.push(text);
      if (text.includes("ready")) child.kill("SIGTERM");
      // Ends cat, which holds the output open.
      if (text.includes("stopping")) child.stdin.end();
    }
    assert.deepEqual([output.join(""), ...await exit], ["ready\nstopping\n", null, "SIGTERM"]);
  });
}

test("the command runs on Node if the program is missing or of another version", async () => {
  installProgram("exit 7", "0.0.1");
  const command = join(folder, "ts-job", "bin", "jobctl.js");
  const { stdout } = await execute(NODE, [command, "--version"]);
  assert.equal(stdout.trim(), manifest.version);
});

test("the command shows the documentation on Node", async () => {
  installProgram("exit 7", "0.0.1");
  const command = join(folder, "ts-job", "bin", "jobctl.js");
  const { stdout } = await execute(NODE, [command, "docs", "cli#exit-codes"]);
  assert.match(stdout, /^Exit codes\n─+\n\nCode {2}Meaning\n/);
});

test("the command runs no program that the environment names", async () => {
  installProgram("exit 7", "0.0.1");
  const foreign = join(folder, "foreign");
  installProgram("exit 7", manifest.version, join(foreign, ".node_modules"));
  const env = { ...process.env, HOME: foreign, NODE_PATH: join(foreign, ".node_modules") };
  const command = join(folder, "ts-job", "bin", "jobctl.js");
  const { stdout } = await execute(NODE, [command, "--version"], { env });
  assert.equal(stdout.trim(), manifest.version);
});
