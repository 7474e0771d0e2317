// Makes a release. Runs on Bun: bun scripts/release/main.mjs, see scripts/release.mjs.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { compile } from "../compile.mjs";
import { sourceFacts } from "../facts.mjs";
import { projectManifest } from "../pack/manifest.mjs";
import { dashboardSources } from "../dashboard/main.mjs";
import { packagesOf } from "../pack/notices.mjs";
import { ROOT } from "../tasks.mjs";
import { gzip, tar, zip, zstd } from "./archive.mjs";
import { contentsFor } from "./contents.mjs";
import { makeDeb } from "./deb.mjs";
import { billOfMaterials, provenance, sha256 } from "./documents.mjs";
import { generatedFiles } from "./generated.ts";
import { signAdHoc } from "./macho.mjs";
import { installScript } from "./install_script.ts";
import { makePackages } from "./npm.mjs";
import { ARCHITECTURES, KEY_FILE } from "./package_files.mjs";
import { makeRpm } from "./rpm.mjs";
import { recipesFor } from "./recipes.ts";
import { programNotices } from "./runtime_parts.mjs";
import { writeRuntime } from "./runtimes.mjs";
import { publicKeyFile, readSecretKey, signBytes } from "./sign.ts";
import { programName, TARGETS } from "./targets.mjs";

/** Number of archives compressed at the same time: each takes one processor. */
const COMPRESSED_AT_ONCE = 2;

const { values } = parseArgs({
  options: {
    target: { type: "string", multiple: true },
    out: { type: "string" },
    level: { type: "string" },
    only: { type: "string" },
  },
});
const kinds = new Set(values.only.split(","));
const level = Number(values.level);
/** Compression that is meant to be quick. */
const isQuick = level <= 3;
const hasPackages = ({ name }) => ARCHITECTURES[name] !== undefined;
const targets = (values.target ? values.target.map(targetOf) : TARGETS)
  .filter((target) => kinds.has("archive") || kinds.has("npm") || hasPackages(target));
const manifest = projectManifest();
const facts = sourceFacts();
if (facts.commit === null || facts.committedAt === null) {
  throw new Error("Cannot make a release outside of a git repository: it names the commit");
}
const key = signingKey();
const out = resolve(values.out);
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
// Its name is not in the results.
const work = mkdtempSync(join(out, ".work-"));
try {
  await makeRelease();
} finally {
  rmSync(work, { recursive: true, force: true });
}

async function makeRelease() {
  const programs = targets.map(compileProgram);
  const sources = new Set(programs.flatMap(({ inputs }) => inputs));
  // A package may be installed in several folders.
  const packages = [
    ...new Map(
      packagesOf([...[...sources].map((path) => join(ROOT, path)), ...dashboardSources()])
        .map((one) => [`${one.name}@${one.version}`, one]),
    ).values(),
  ];
  const notices = programNotices(packages);
  const files = new Map();
  const { version } = manifest;
  const atMs = facts.committedAt;
  const generated = generatedFiles({ version, atMs });
  const keyFile = publicKey() === null ? null : publicKeyFile(publicKey());
  const texts = { packages, notices, generated, keyFile };
  const waiting = programs.flatMap((program) => tasksFor(program, texts));
  const work = async () => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
      for await (const { name, bytes } of task()) {
        files.set(name, bytes);
        report(`${name}  ${mb(bytes)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: COMPRESSED_AT_ONCE }, work));
  const subjects = [
    ...sorted(files),
    ...programs.map((
      { target, path },
    ) => /** @type {const} */ ([`${folderOf(target)}/${programName(target)}`, readFileSync(path)])),
  ];
  const made = provenance(manifest, { files: subjects, targets, facts, level });
  const bill = billOfMaterials(manifest, { packages, targets, atMs });
  const signedBy = key === null ? "" : key.publicKey;
  files.set("install.sh", Buffer.from(installScript(manifest, { publicKey: signedBy })));
  files.set(`jobctl-${version}-provenance.json`, jsonBytes(made));
  files.set(`jobctl-${version}-sbom.cdx.json`, jsonBytes(bill));
  if (keyFile !== null) files.set(KEY_FILE, Buffer.from(keyFile));
  const sums = sorted(files).map(([name, bytes]) => `${sha256(bytes)}  ${name}\n`).join("");
  files.set("SHA256SUMS", Buffer.from(sums));
  if (key !== null) {
    const comment = `jobctl ${version}, commit ${facts.commit}, ${new Date(atMs).toISOString()}`;
    files.set("SHA256SUMS.minisig", Buffer.from(signBytes(Buffer.from(sums), key, comment)));
  }
  for (const [name, bytes] of files) writeFileSync(join(out, name), bytes);
  for (const { path, text, mode } of recipesFor(manifest, files)) {
    mkdirSync(dirname(join(out, "recipes", path)), { recursive: true });
    writeFileSync(join(out, "recipes", path), text, { mode });
  }
  if (kinds.has("npm")) {
    const paths = programs.map(({ target, path }) => [target.name, path]);
    await makePackages(Object.fromEntries(paths), { folder: join(out, "npm"), notices });
  }
  report(key === null ? "Not signed: JOBCTL_SIGNING_KEY_FILE is not set" : "Signed");
}

/** Results made from a program, as functions that yield names of files and their bytes. */
function tasksFor(program, texts) {
  const { target, path } = program;
  const asPackage = (make) =>
    async function* () {
      const options = { program: path, target: target.name, folder: dirname(path) };
      const file = await make({ ...options, ...texts, atMs: facts.committedAt, isQuick });
      yield { name: basename(file), bytes: readFileSync(file) };
    };
  return [
    ...(kinds.has("archive") ? [() => archives(program, texts)] : []),
    ...(kinds.has("deb") && hasPackages(target) ? [asPackage(makeDeb)] : []),
    ...(kinds.has("rpm") && hasPackages(target) ? [asPackage(makeRpm)] : []),
  ];
}

/** Compile the program of a target. */
function compileProgram(target) {
  const startedAt = performance.now();
  const folder = join(work, target.name);
  mkdirSync(folder);
  const metafile = join(folder, "meta.json");
  // Bun writes the maps beside the program, so it gets a separate folder.
  const path = join(folder, programName(target));
  compile(path, {
    runtime: writeRuntime(target, folder),
    bunTarget: target.bunTarget,
    metafile,
    hasSourceMaps: false,
    facts: { target: target.name, ...facts, publicKey: publicKey() },
  });
  if (target.name === "darwin-x64") writeFileSync(path, signAdHoc(readFileSync(path), "jobctl"));
  const inputs = Object.keys(JSON.parse(readFileSync(metafile, "utf8")).inputs);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  report(`${target.name}  ${mb(readFileSync(path))}, compiled in ${seconds} s`);
  return { target, path, inputs };
}

/** The archives of a program: `{ name, bytes }`. */
async function* archives({ target, path }, { notices, generated, keyFile }) {
  const folder = folderOf(target);
  const entries = [
    { path: programName(target), bytes: readFileSync(path), mode: 0o755 },
    { path: "THIRD-PARTY-NOTICES", bytes: Buffer.from(notices), mode: 0o644 },
    ...(keyFile === null ? [] : [{ path: KEY_FILE, bytes: Buffer.from(keyFile), mode: 0o644 }]),
    ...contentsFor(target, generated),
  ].map((entry) => ({ ...entry, path: `${folder}/${entry.path}` }));
  const atMs = facts.committedAt;
  const plain = tar(entries, { atMs });
  yield { name: `${folder}.tar.zst`, bytes: await zstd(plain, { level }) };
  // Few systems have zstd from the start: each has gzip, and Windows opens zip.
  if (target.name.startsWith("windows-")) {
    yield { name: `${folder}.zip`, bytes: await zip(entries, { atMs }) };
  } else {
    yield { name: `${folder}.tar.gz`, bytes: gzip(plain, { level }) };
  }
}

function targetOf(name) {
  const found = TARGETS.find((target) => target.name === name);
  if (found) return found;
  const known = TARGETS.map((target) => target.name).join(", ");
  throw new Error(`Cannot make a release for "${name}": not one of ${known}`);
}

function folderOf({ name }) {
  return `jobctl-${manifest.version}-${name}`;
}

/** The key that signs; null if the environment has no key. */
function signingKey() {
  const path = process.env.JOBCTL_SIGNING_KEY_FILE;
  if (!path) return null;
  return readSecretKey(readFileSync(path, "utf8"), process.env.JOBCTL_SIGNING_PASSWORD ?? "");
}

/** The public key that is built in: the environment's, or the signing key's. */
function publicKey() {
  const given = process.env.JOBCTL_PUBLIC_KEY || null;
  const own = key?.publicKey ?? null;
  if (given !== null && own !== null && given !== own) {
    throw new Error("JOBCTL_PUBLIC_KEY is not the public key of JOBCTL_SIGNING_KEY_FILE");
  }
  return given ?? own;
}

function sorted(files) {
  return [...files].sort(([a], [b]) => a < b ? -1 : 1);
}

function jsonBytes(value) {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}

function mb(bytes) {
  return `${(bytes.length / 1e6).toFixed(1)} MB`;
}

function report(line) {
  console.error(line);
}
