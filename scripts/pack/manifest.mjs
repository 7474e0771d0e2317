// Descriptions of the published packages: package.json and README.md.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { NODES } from "../programs/list.mjs";
import { ROOT } from "../tasks.mjs";
import { EXTERNAL } from "./bundle.mjs";
import { PLATFORMS } from "./platforms.mjs";

/** package.json of the project. */
export function projectManifest() {
  return JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
}

/** The fields that every published package has. */
function commonFields({ version, homepage, repository, bugs, license } = projectManifest()) {
  // Packages with a scope are private by default.
  return { version, homepage, repository, bugs, license, publishConfig: { access: "public" } };
}

/** package.json of `ts-job`. */
export function libraryManifest() {
  const project = projectManifest();
  const { version, ...common } = commonFields(project);
  const dependencies = Object.fromEntries(
    // A newer minor version of theirs serves us too, and is then installed once.
    EXTERNAL.map((name) => [name, `^${project.dependencies[name]}`]),
  );
  return {
    name: project.name,
    version,
    description: project.description,
    keywords: project.keywords,
    ...common,
    type: "module",
    engines: { node: `>=${NODES[22]}` },
    sideEffects: ["./dist/main.js", "./dist/gateway_thread.js", "./dist/guard_thread.js"],
    main: "./dist/index.js",
    types: "./types/index.d.ts",
    exports: {
      ".": { types: "./types/index.d.ts", default: "./dist/index.js" },
      "./client": { types: "./types/client.d.ts", default: "./dist/client.js" },
      "./conformance": {
        types: "./types/conformance/index.d.ts",
        default: "./dist/conformance.js",
      },
      "./testing": { types: "./types/testing/index.d.ts", default: "./dist/testing.js" },
      "./job.proto": "./job.proto",
      "./package.json": "./package.json",
    },
    bin: { jobctl: "bin/jobctl.js", "ts-job": "bin/jobctl.js" },
    files: ["bin", "dist", "types", "job.proto", "CHANGELOG.md", "THIRD-PARTY-NOTICES"],
    dependencies,
    optionalDependencies: Object.fromEntries(PLATFORMS.map(({ name }) => [name, version])),
    // Yarn's Plug'n'Play: worker processes are started from these files, outside of it.
    preferUnplugged: true,
  };
}

/** package.json of a platform's package. */
export function platformManifest({ name, target, os, cpu, libc }) {
  return {
    name,
    ...commonFields(),
    description: `The jobctl program of ts-job for ${target}`,
    os: [os],
    cpu: [cpu],
    ...(libc === undefined ? {} : { libc: [libc] }),
    files: ["bin", "THIRD-PARTY-NOTICES"],
    // Yarn's Plug'n'Play: a program is started from a file, not from an archive.
    preferUnplugged: true,
  };
}

/** A page of the project with links that also work away from it: to the version's own files. */
export function withAbsoluteLinks(text) {
  const { homepage, version } = projectManifest();
  return text.replace(
    /\]\((?!https?:|#|mailto:)([^)\s]+)\)/g,
    (_, path) => {
      // A picture itself, not its page.
      const kind = /\.(?:png|svg)$/.test(path) ? "raw" : "blob";
      return `](${homepage}/${kind}/v${version}/${path})`;
    },
  );
}
