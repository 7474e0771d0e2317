// Builds the site of docs/ into dist/docs: npm run docs [-- --base /ts-job/]
// VitePress is installed on first use, into a folder of the user's cache, by its own lock file.
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ROOT, tryRun } from "../tasks.mjs";

const FOLDER = join(ROOT, "scripts", "docs");
const SITE = join(FOLDER, "site");
const OUT = join(ROOT, "dist", "docs");

/** The folder with VitePress. */
function installTool() {
  const lock = readFileSync(join(SITE, "package-lock.json"));
  const name = createHash("sha256").update(lock).digest("hex").slice(0, 12);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const dir = join(cache, "ts-job", `docs-${name}`);
  if (existsSync(dir)) return dir;
  // Installed in a temporary folder and moved: an interrupted installation never looks complete.
  const part = `${dir}.${process.pid}`;
  mkdirSync(part, { recursive: true });
  for (const file of ["package.json", "package-lock.json"]) {
    cpSync(join(SITE, file), join(part, file));
  }
  console.error(`Installing VitePress into ${dir}`);
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = tryRun("npm", args, { cwd: part, stdio: ["ignore", 2, 2] });
  if (status === 0) {
    renameSync(part, dir);
    return dir;
  }
  rmSync(part, { recursive: true, force: true });
  console.error("Cannot install VitePress: npm failed, see above. It needs the npm registry");
  process.exit(1);
}

/** Copy the pages and VitePress's inputs beside node_modules, where Vue is looked up. */
function stage(tool) {
  const source = join(tool, `site-${process.pid}`);
  cpSync(join(ROOT, "docs"), source, { recursive: true });
  cpSync(join(SITE, "index.md"), join(source, "index.md"));
  const settings = join(source, ".vitepress");
  mkdirSync(join(settings, "theme"), { recursive: true });
  cpSync(join(FOLDER, "theme.mjs"), join(settings, "theme", "index.js"));
  cpSync(join(FOLDER, "style.css"), join(settings, "theme", "style.css"));
  for (const name of ["config.ts", "links.ts", "navigation.ts"]) {
    cpSync(join(FOLDER, name), join(settings, name));
  }
  cpSync(join(ROOT, "src", "core", "text", "anchor.ts"), join(settings, "anchors.ts"));
  return source;
}

/** Resources that a page would load from another host. */
function foreignLoads(folder) {
  const patterns = [
    /<(?:script|img|iframe|source|video|audio)\b[^>]*\ssrc="(?:https?:)?\/\/[^"]*"/g,
    /<link\b[^>]*\shref="(?:https?:)?\/\/[^"]*"/g,
    /url\(["']?(?:https?:)?\/\/[^)]*\)/g,
    /@import\s+["'](?:https?:)?\/\/[^"']*["']/g,
  ];
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(?:html|css)$/.test(name));
  return names.flatMap((name) => {
    const text = readFileSync(join(folder, name), "utf8");
    return patterns.flatMap((pattern) => text.match(pattern) ?? []).map((load) =>
      `${name}: ${load}`
    );
  });
}

const { values } = parseArgs({ options: { base: { type: "string", default: "/" } } });
if (!/^\/(?:[\w.-]+\/)*$/.test(values.base)) {
  console.error(`Cannot build the site for "${values.base}": a base is a path such as /ts-job/`);
  process.exit(2);
}
const tool = installTool();
const source = stage(tool);
rmSync(OUT, { recursive: true, force: true });
const vitepress = join(tool, "node_modules", "vitepress", "bin", "vitepress.js");
const { status } = tryRun(process.execPath, [vitepress, "build", source, "--outDir", OUT], {
  cwd: source,
  env: { DOCS_BASE: values.base },
});
rmSync(source, { recursive: true, force: true });
if (status !== 0) process.exit(1);
const loads = foreignLoads(OUT);
for (const load of loads) console.error(`A page loads from another host: ${load}`);
if (loads.length > 0) process.exit(1);
console.log(`Wrote ${OUT}`);
