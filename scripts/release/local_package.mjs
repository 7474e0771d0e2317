// Makes packages of one program, quickly: bun scripts/release/local_package.mjs --out FOLDER deb rpm
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { sourceFacts } from "../facts.mjs";
import { projectManifest } from "../pack/manifest.mjs";
import { lockedPackages } from "../pack/notices.mjs";
import { ROOT } from "../tasks.mjs";
import { makeDeb } from "./deb.mjs";
import { generatedFiles } from "./generated.ts";
import { programNotices } from "./runtime_parts.mjs";
import { makeRpm } from "./rpm.mjs";
import { hostTarget } from "./targets.mjs";

const MAKERS = { deb: makeDeb, rpm: makeRpm };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: "string", default: join(ROOT, "dist", "packages") },
    // Default: this machine's.
    program: { type: "string", default: join(ROOT, "dist", "jobctl") },
    version: { type: "string", default: projectManifest().version },
  },
});
const folder = resolve(values.out);
mkdirSync(folder, { recursive: true });
const packages = lockedPackages();
const atMs = sourceFacts().committedAt ?? 0;
const { program, version } = values;
for (const kind of positionals) {
  const path = await MAKERS[kind]({
    ...{ program, target: hostTarget().name, folder, version, packages, atMs, isQuick: true },
    notices: programNotices(packages),
    generated: generatedFiles({ version, atMs }),
  });
  console.log(path);
}
