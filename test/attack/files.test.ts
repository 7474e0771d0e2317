import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import test from "node:test";
import { JOBCTL, runJobctl, startDaemon } from "../support/processes/daemon.ts";
import { until } from "../support/wait.ts";

/** An unprivileged user of every Debian. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const isRoot = process.getuid?.() === 0;
const needsRoot = isRoot ? {} : { skip: "it gives files to another user" };

const MODULE = "export default function hello(): string { return 'hello'; }\n";
const SERVER = (root: string) => `
[server]
port = 0
http = ""
socket = "${root}/run/sock"
auth.token_file = "${root}/run/token"
`;

interface Project {
  readonly root: string;
  /** Path in the project's folder. */
  at(name: string): string;
  write(name: string, text: string, mode?: number): string;
  check(options?: { readonly as?: typeof NOBODY }): Promise<{ code: number; text: string }>;
}

/** A folder that others may pass, with what `body` writes. */
async function withProject(body: (project: Project) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "jobctl-files-"));
  chmodSync(root, 0o755);
  const at = (name: string) => join(root, name);
  try {
    await body({
      root,
      at,
      write(name, text, mode = 0o644) {
        mkdirSync(dirname(at(name)), { recursive: true });
        writeFileSync(at(name), text);
        chmodSync(at(name), mode);
        return at(name);
      },
      async check(options = {}) {
        const args = ["check", "--config", at("etc/config.toml"), "-o", "json"];
        const ran = await runJobctl(args, { cwd: "/", env: { HOME: "/" }, ...options });
        return { code: ran.code, text: ran.stdout + ran.stderr };
      },
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function openOnes(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isSocket() && !entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => (lstatSync(path).mode & 0o077) !== 0);
}

/** Start a daemon by a shell that sets a mask first; resolves when it is ready. */
async function serveWithMask(config: string, mask: string) {
  const child = spawn("/bin/sh", [
    "-c",
    'umask "$2" && exec "$0" serve --config "$1"',
    JOBCTL,
    config,
    mask,
  ], {
    cwd: dirname(config),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on("data", (chunk) => log += String(chunk));
  }
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  await until("the daemon is ready", () => log.includes("is ready"));
  return { child, exited, log: () => log };
}

test("whatever the umask, others can read nothing that is written", async () => {
  await withProject(async ({ root, at, write }) => {
    const config = write(
      "etc/config.toml",
      `${SERVER(root)}
[store]
url = "sqlite:${root}/var/lib/jobctl.db"
[jobs.mask]
run = "umask > $JOB_RESULT_FILE"
`,
    );
    mkdirSync(at("out"));
    const { child, exited } = await serveWithMask(config, "000");
    const env = { JOBCTL_SOCKET: at("run/sock") };
    const umask = (args: string) => `umask 000 && exec "$0" ${args}`;
    const run = async (args: string) => {
      const cli = spawn("/bin/sh", ["-c", umask(args), JOBCTL], {
        env: { ...process.env, ...env },
        stdio: "ignore",
      });
      const code = await new Promise((resolve) => cli.once("exit", resolve));
      assert.equal(code, 0, args);
    };
    try {
      const ran = await runJobctl(["schedule", "mask", "--wait", "-o", "json"], { env });
      assert.equal(ran.code, 0, ran.stderr);
      // The mask of the daemon is that of its jobs.
      assert.match(ran.stdout, /"0000"|\[0\]|000/);
      const files = readdirSync(at("var/lib"));
      for (const suffix of ["", "-wal", "-shm", "-owner", "-owner.json"]) {
        assert.ok(files.includes(`jobctl.db${suffix}`), `there is no ${suffix}: ${files}`);
      }
      for (const name of ["backup.jsonl", "backup.jsonl.gz"]) {
        await run(`store backup ${at("out")}/${name}`);
      }
      assert.deepEqual(openOnes(at("var")), []);
      assert.deepEqual(openOnes(at("run")), []);
      // What was begun and killed stays behind as well.
      writeFileSync(at("out/backup.jsonl.part"), "old");
      chmodSync(at("out/backup.jsonl.part"), 0o666);
      await run(`store backup ${at("out")}/backup.jsonl --force`);
    } finally {
      child.kill("SIGTERM");
      await exited;
    }
    await run(`store backup ${at("out")}/rest.jsonl --salvage -c ${config}`);
    await run(`store restore ${at("out")}/backup.jsonl --store sqlite:${at("var2/new.db")}`);
    await run(`export crontab -c ${config} --out ${at("out")}/crontab`);
    chmodSync(at("out/crontab"), 0o666);
    await run(`export crontab -c ${config} --out ${at("out")}/crontab --force`);
    assert.deepEqual([at("out"), at("var"), at("var2")].flatMap(openOnes), []);
  });
});

test("a start tells of files of the store that others may read", async () => {
  const daemon = await startDaemon();
  try {
    const path = join(daemon.dir, "data", "jobctl.db");
    await daemon.terminate();
    chmodSync(path, 0o640);
    const again = await daemon.restart();
    const warning = again.log().split("\n").filter((line) => line.includes("other users can read"));
    assert.ok(
      warning.some((line) => line.includes(path) && line.includes("chmod 600")),
      again.log(),
    );
    await again.terminate();
  } finally {
    await daemon.stop({ force: true });
  }
});

/** What root must not believe: what is done to a project, and what is named. */
const PLANTED: Readonly<
  Record<string, { readonly plant: (project: Project) => void; readonly culprit: string }>
> = {
  "a config of another user": {
    plant: ({ at }) => chownSync(at("etc/config.toml"), NOBODY.uid, NOBODY.gid),
    culprit: "etc/config.toml",
  },
  "a config that every user may write": {
    plant: ({ at }) => chmodSync(at("etc/config.toml"), 0o646),
    culprit: "etc/config.toml",
  },
  "a config that a group may write": {
    plant({ at }) {
      chownSync(at("etc/config.toml"), 0, NOBODY.gid);
      chmodSync(at("etc/config.toml"), 0o664);
    },
    culprit: "etc/config.toml",
  },
  "a config in a folder that every user may write": {
    plant: ({ at }) => chmodSync(at("etc"), 0o777),
    culprit: "etc",
  },
  "a config below a folder of another user": {
    plant: ({ root }) => chownSync(root, NOBODY.uid, NOBODY.gid),
    culprit: "",
  },
  "a config behind a link in a folder of another user": {
    plant({ at, write }) {
      write("theirs/config.toml", "");
      chownSync(at("theirs"), NOBODY.uid, NOBODY.gid);
      rmSync(at("etc/config.toml"));
      symlinkSync("../theirs/config.toml", at("etc/config.toml"));
    },
    culprit: "theirs",
  },
  "an included file that every user may write": {
    plant: ({ write }) => void write("etc/conf.d/a.toml", "", 0o666),
    culprit: "etc/conf.d/a.toml",
  },
  "an included file in a folder of another user": {
    plant({ at, write }) {
      write("etc/conf.d/a.toml", "");
      chownSync(at("etc/conf.d"), NOBODY.uid, NOBODY.gid);
    },
    culprit: "etc/conf.d",
  },
  "an empty folder of included files that every user may write": {
    plant({ at }) {
      mkdirSync(at("etc/conf.d"));
      chmodSync(at("etc/conf.d"), 0o777);
    },
    culprit: "etc/conf.d",
  },
  "a module that every user may write": {
    plant: ({ at }) => chmodSync(at("etc/jobs/hello.ts"), 0o666),
    culprit: "etc/jobs/hello.ts",
  },
  "a module of another user": {
    plant: ({ at }) => chownSync(at("etc/jobs/hello.ts"), NOBODY.uid, NOBODY.gid),
    culprit: "etc/jobs/hello.ts",
  },
  "a folder of modules that every user may write": {
    plant: ({ at }) => chmodSync(at("etc/jobs"), 0o777),
    culprit: "etc/jobs",
  },
  "an import of a module that another user owns": {
    plant({ at, write }) {
      write("etc/jobs/hello.ts", `import "../lib/part.ts";\n${MODULE}`);
      write("etc/lib/part.ts", "export {};\n");
      chownSync(at("etc/lib/part.ts"), NOBODY.uid, NOBODY.gid);
    },
    culprit: "etc/lib/part.ts",
  },
  "packages of another user beside a module": {
    plant({ at }) {
      mkdirSync(at("etc/node_modules"));
      chownSync(at("etc/node_modules"), NOBODY.uid, NOBODY.gid);
    },
    culprit: "etc/node_modules",
  },
  "a secret that every user may write": {
    plant: ({ at }) => chmodSync(at("etc/secret"), 0o602),
    culprit: "etc/secret",
  },
  "a secret of another user": {
    plant: ({ at }) => chownSync(at("etc/secret"), NOBODY.uid, NOBODY.gid),
    culprit: "etc/secret",
  },
  "a store module that every user may write": {
    plant({ at, write }) {
      write("etc/store.ts", "export default {};\n", 0o666);
      write("etc/config.toml", `store.url = "${at("etc/store.ts")}"\n`);
    },
    culprit: "etc/store.ts",
  },
};

function writeProject({ write }: Project): void {
  write("etc/secret", "hush", 0o600);
  write("etc/jobs/hello.ts", MODULE);
  write(
    "etc/config.toml",
    `modules = ["jobs"]
include = ["conf.d/*.toml"]
[jobs.secret]
command = ["true"]
env = { TOKEN = { file = "secret" } }
`,
  );
}

test("root believes a project that is its own", async () => {
  await withProject(async (project) => {
    writeProject(project);
    const { code, text } = await project.check();
    assert.equal(code, 0, text);
  });
});

for (const [name, { plant, culprit }] of Object.entries(PLANTED)) {
  test(`root does not believe ${name}`, needsRoot, async () => {
    await withProject(async (project) => {
      writeProject(project);
      plant(project);
      const { code, text } = await project.check();
      assert.equal(code, 2, text);
      const path = culprit === "" ? project.root : project.at(culprit);
      assert.ok(text.replaceAll('\\"', '"').includes(`"${path}" is not trusted`), text);
      assert.match(text, /(?:chown -h 0|chmod go-w|sudo -u) /);
    });
  });
}

test("another user than root is told and goes on", needsRoot, async () => {
  await withProject(async (project) => {
    writeProject(project);
    chownSync(project.at("etc/secret"), NOBODY.uid, NOBODY.gid);
    for (const name of ["etc/config.toml", "etc/jobs/hello.ts"]) chmodSync(project.at(name), 0o666);
    const { code, text } = await project.check({ as: NOBODY });
    assert.equal(code, 0, text);
    for (const name of ["etc/config.toml", "etc/jobs/hello.ts"]) {
      const said = `"${project.at(name)}" is not trusted`;
      assert.ok(text.replaceAll('\\"', '"').includes(said), text);
    }
  });
});

test("a module of a user defines jobs of that user and no others", needsRoot, async () => {
  await withProject(async (project) => {
    const { write, at, check } = project;
    const own = '[jobs.hello]\nuser = "nobody"\n';
    write("etc/config.toml", `modules = ["jobs"]\n${own}`);
    write("etc/jobs/hello.ts", MODULE);
    chownSync(at("etc/jobs/hello.ts"), NOBODY.uid, NOBODY.gid);
    const good = await check();
    assert.equal(good.code, 0, good.text);
    write(
      "etc/jobs/hello.ts",
      'export default ["hello", "more"].map((kind) => ({ kind, run: () => 1 }));\n',
    );
    chownSync(at("etc/jobs/hello.ts"), NOBODY.uid, NOBODY.gid);
    const bad = await check();
    assert.equal(bad.code, 2, bad.text);
    assert.match(bad.text, /Cannot load job \\"more\\".*the job runs as/);
  });
});

test(
  "a start and a reload refuse what root must not believe, also the folder of the store",
  needsRoot,
  async () => {
    await withProject(async (project) => {
      const { root, write, at } = project;
      const text = `modules = ["jobs"]\n${SERVER(root)}[store]\nurl = "sqlite:${root}/var/a.db"\n`;
      const config = write("etc/config.toml", text);
      write("etc/jobs/hello.ts", MODULE);
      mkdirSync(at("var"));
      chmodSync(at("var"), 0o777);
      const refused = await runJobctl(["serve", "--config", config]);
      assert.equal(refused.code, 5, refused.stderr);
      assert.ok(refused.stderr.includes(`"${at("var")}" is not trusted`), refused.stderr);
      chmodSync(at("var"), 0o700);

      const { child, exited, log } = await serveWithMask(config, "022");
      try {
        chmodSync(at("etc/jobs"), 0o777);
        child.kill("SIGHUP");
        await until("the reload is refused", () => log().includes("the old one stays"), 5_000);
        assert.ok(log().includes("is not trusted"), log());
        const env = { JOBCTL_SOCKET: at("run/sock") };
        const ran = await runJobctl(["schedule", "hello", "--wait"], { env });
        assert.equal(ran.code, 0, ran.stderr);
      } finally {
        child.kill("SIGKILL");
        await exited;
      }
    });
  },
);
