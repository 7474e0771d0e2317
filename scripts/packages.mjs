// Publishes the packages to a registry on loopback, installs them with each package manager, and runs the
// library and the daemon from there. Linux.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { build } from "./build.mjs";
import { NODES } from "./programs/list.mjs";
import { installNpmPrograms, nodeProgram } from "./programs/npm_programs.mjs";
import { compileLibrary, must, runDaemon, runLibrary, weigh } from "./packages/checks.mjs";
import { startRegistry } from "./packages/registry.mjs";
import { projectManifest } from "./pack/manifest.mjs";
import { PLATFORMS } from "./pack/platforms.mjs";
import { builtPackages, makePackages, makePlatformPackages } from "./release/npm.mjs";
import { hostTarget } from "./release/targets.mjs";
import { install, ROOT, signingEnvironment } from "./tasks.mjs";

const USAGE = `Usage: npm run packages -- [--built] [npm npx pnpm yarn bun deno types …]

  --built  use the packages that are in dist/release/npm`;

const VERSION = projectManifest().version;
const BIN = join(ROOT, "node_modules", ".bin");
const PNPM = "pnpm@12.21.0";
const YARN = "@yarnpkg/cli-dist@4.18.1";
const OLDER_TYPESCRIPT = "typescript@5.9.3";

/** Deno takes no version of the last 24 hours. */
const NO_MINIMUM_AGE = "--minimum-dependency-age=0";

/** Most packages, and most megabytes without the compiled program, of an installation. */
const LIMIT = { packages: 10, megabytes: 25 };

/** A PATH with node as one of {@link NODES}. */
function nodePath(major) {
  return { PATH: `${dirname(nodeProgram(major))}${delimiter}${process.env.PATH}` };
}

/** The ways to install. Each gets an empty folder and returns its measurements. */
const WAYS = {
  "npm": npmWay([], "program"),
  "npm --ignore-scripts": npmWay(["--ignore-scripts"], "program"),
  "npm --omit=optional": npmWay(["--omit=optional"], "script"),
  npx: async ({ folder, home }) => {
    const env = { ...nodePath(24), npm_config_cache: join(home, "npm-cache") };
    must("npx", ["--yes", "ts-job", "--version"], { cwd: folder, env });
    await runDaemon(folder, ["npx", "--yes", "ts-job"], { expects: "program", env });
    return weigh(join(home, "npm-cache", "_npx"));
  },
  pnpm: async ({ folder, home }) => {
    const env = { ...nodePath(22), npm_config_store_dir: join(home, "pnpm-store") };
    must("npx", ["--yes", PNPM, "add", "ts-job"], { cwd: folder, env });
    runLibrary(folder, [["node", "--no-warnings"]], env);
    const jobctl = join(folder, "node_modules", ".bin", "ts-job");
    await runDaemon(folder, [jobctl], { expects: "program", env });
    return weigh(join(folder, "node_modules"));
  },
  "yarn (Plug'n'Play)": async ({ folder, home, url }) => {
    const tool = join(home, "yarn");
    mkdirSync(tool);
    must("npm", ["install", "--prefix", tool, YARN], { cwd: tool });
    const yarn = join(tool, "node_modules", "@yarnpkg", "cli-dist", "bin", "yarn.js");
    writeFileSync(
      join(folder, ".yarnrc.yml"),
      `npmRegistryServer: "${url}"\nunsafeHttpWhitelist: ["127.0.0.1"]\nnodeLinker: pnp\n` +
        `enableTelemetry: false\nenableGlobalCache: false\nnpmMinimalAgeGate: 0\n`,
    );
    writeFileSync(join(folder, "yarn.lock"), "");
    const env = { ...nodePath(24), YARN_GLOBAL_FOLDER: join(home, "yarn-global") };
    must("node", [yarn, "add", "ts-job"], { cwd: folder, env });
    runLibrary(folder, [["node", yarn, "node", "--no-warnings"]], env);
    await runDaemon(folder, ["node", yarn, "ts-job"], { expects: "program", env });
    return weigh(join(folder, ".yarn", "unplugged"));
  },
  bun: async ({ folder, home, url }) => {
    const bun = join(BIN, "bun");
    const env = { npm_config_registry: url, BUN_INSTALL_CACHE_DIR: join(home, "bun-cache") };
    must(bun, ["add", "ts-job"], { cwd: folder, env });
    runLibrary(folder, [[bun, "run"]], env);
    for (const flags of [["--bun"], []]) {
      await runDaemon(folder, [bun, "run", ...flags, "ts-job"], { expects: "program", env });
    }
    return weigh(join(folder, "node_modules"));
  },
  deno: async ({ folder, home, url }) => {
    const deno = [join(BIN, "deno"), "run", "-A", NO_MINIMUM_AGE];
    const env = { NPM_CONFIG_REGISTRY: url, DENO_DIR: home };
    const imports = ["", "/client", "/conformance", "/testing"].map((path) => [
      `ts-job${path}`,
      `npm:ts-job@${VERSION}${path}`,
    ]);
    writeFileSync(
      join(folder, "deno.json"),
      JSON.stringify({ imports: Object.fromEntries(imports) }),
    );
    rmSync(join(folder, "package.json"));
    runLibrary(folder, [[...deno, "--check"]], env);
    await runDaemon(folder, [...deno, "npm:ts-job"], { expects: "program", env });
    return weigh(join(home, "npm"));
  },
  "deno without programs": async ({ folder, home, url }) => {
    const deno = [join(BIN, "deno"), "run", "-A", NO_MINIMUM_AGE, `npm:ts-job@${VERSION}`];
    const env = { NPM_CONFIG_REGISTRY: url, DENO_DIR: home };
    rmSync(join(folder, "package.json"));
    must(deno[0], [...deno.slice(1), "--version"], { cwd: folder, env });
    const [registry] = readdirSync(join(home, "npm"));
    const programs = join(home, "npm", registry, "@ts-job");
    for (const name of readdirSync(programs)) {
      rmSync(join(programs, name, VERSION, "bin"), { recursive: true, force: true });
    }
    await runDaemon(folder, deno, { expects: "script", env });
    return weigh(join(home, "npm"));
  },
  types: ({ folder }) => {
    must("npm", ["install", "--omit=optional", "ts-job", OLDER_TYPESCRIPT, "@types/node@22"], {
      cwd: folder,
    });
    compileLibrary(folder, [join(BIN, "tsc")]);
    compileLibrary(folder, [join(folder, "node_modules", ".bin", "tsc")]);
    return { packages: 0, megabytes: 0 };
  },
};

/** With npm: on each Node that the library supports, and on one without `process.execve`. */
function npmWay(flags, expects) {
  return async ({ folder }) => {
    must("npm", ["install", ...flags, "ts-job"], { cwd: folder });
    for (const major of Object.keys(NODES)) {
      const env = nodePath(major);
      runLibrary(folder, [["node", "--no-warnings"]], env);
      await runDaemon(folder, ["npx", "ts-job"], { expects, env });
      await runDaemon(folder, ["node_modules/.bin/jobctl"], { expects, env });
    }
    if (expects === "program" && Number(process.versions.node.split(".")[0]) < 22) {
      await runDaemon(folder, ["node_modules/.bin/jobctl"], { expects });
    }
    runLibrary(folder, [[join(BIN, "bun"), "run"], [join(BIN, "deno"), "run", "-A"]]);
    return weigh(join(folder, "node_modules"));
  };
}

/**
 * The packages, with one for every platform: package managers read the manifests of all. Missing
 * ones hold a file that is not a program, and must not be installed.
 */
async function packagesToPublish(folder, isBuilt) {
  if (!isBuilt) build();
  const files = isBuilt
    ? builtPackages()
    : await makePackages({ [hostTarget().name]: join(ROOT, "dist", "jobctl") });
  mkdirSync(folder);
  const stub = join(folder, "stub");
  writeFileSync(stub, "This is not the program\n");
  const missing = PLATFORMS.filter(({ name }) =>
    !files.some((file) => file.includes(`/${name.slice(1).replace("/", "-")}-${VERSION}`))
  );
  makePlatformPackages(Object.fromEntries(missing.map(({ target }) => [target, stub])), { folder });
  return [...builtPackages(folder), ...files];
}

/** Publish and install. @returns the number of ways that failed */
async function packages(wanted, isBuilt) {
  const work = mkdtempSync(join(tmpdir(), "jobctl-packages-"));
  const registry = await startRegistry(join(work, "registry"));
  let failed = 0;
  try {
    const files = await packagesToPublish(join(work, "others"), isBuilt);
    process.env.npm_config_userconfig = registry.npmrc;
    process.env.npm_config_cache = join(work, "npm-cache");
    process.env.npm_config_fund = "false";
    process.env.npm_config_audit = "false";
    process.env.npm_config_loglevel = "error";
    for (const file of files) must("npm", ["publish", "--registry", registry.url, file]);
    for (const [name, way] of Object.entries(WAYS)) {
      if (wanted.length > 0 && !wanted.some((word) => name.split(" ")[0] === word)) continue;
      const folder = mkdtempSync(join(work, "project-"));
      const home = mkdtempSync(join(work, "home-"));
      writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
      const start = performance.now();
      try {
        const { packages, megabytes } = await way({ folder, home, url: registry.url });
        const seconds = Math.round((performance.now() - start) / 1000);
        console.log(`${name}: ok, ${packages} packages, ${megabytes} MB (${seconds} s)`);
        if (packages > LIMIT.packages) throw new Error(`More than ${LIMIT.packages} packages`);
        const isLight = name.includes("omit") || name.includes("without");
        if (isLight && megabytes > LIMIT.megabytes) throw new Error("Too large");
      } catch (error) {
        failed += 1;
        console.error(`${name}: failed\n${error.message}`);
      }
    }
  } finally {
    await registry.stop();
    rmSync(work, { recursive: true, force: true });
  }
  return failed;
}

const options = process.argv.slice(2);
if (options.includes("--help")) {
  console.log(USAGE);
} else {
  // Packages of others run here, with this process's environment.
  for (const name of Object.keys(signingEnvironment())) delete process.env[name];
  install();
  const trouble = await installNpmPrograms();
  if (trouble !== null) throw new Error(trouble);
  const wanted = options.filter((option) => !option.startsWith("--"));
  process.exitCode = await packages(wanted, options.includes("--built")) === 0 ? 0 : 1;
}
