// Loaded by Bun before src/main.ts, to run the source as if it were another version.

import { readFileSync } from "node:fs";
import process from "node:process";
import { plugin } from "bun";

const version = process.env.OTHER_VERSION;
const isNewer = process.env.OTHER_FORMAT === "newer";

/** Files, each with the texts that are replaced in it. */
const FILES = [
  [/src\/platform\/version\.ts$/, [["manifest.version", JSON.stringify(version)]]],
  ...isNewer
    ? [
      [/src\/store\/store\.ts$/, [[/STORE_FORMAT = (\d+);/, "STORE_FORMAT = $1 + 1;"]]],
      [
        /src\/store\/sqlite\/schema\.ts$/,
        [[/(^\];\n\n\/\*\* Format of a file)/m, '"CREATE TABLE later (x INTEGER) STRICT",\n$1']],
      ],
    ]
    : [],
];

plugin({
  name: "other version",
  setup(build) {
    for (const [filter, changes] of FILES) {
      build.onLoad({ filter }, ({ path }) => {
        let contents = readFileSync(path, "utf8");
        for (const [found, replacement] of changes) {
          const changed = contents.replace(found, replacement);
          if (changed === contents) throw new Error(`There is no ${found} in ${path}`);
          contents = changed;
        }
        return { contents, loader: "ts" };
      });
    }
  },
});
