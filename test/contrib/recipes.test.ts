import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import test from "node:test";
import { type RecipeFacts, recipesFor } from "../../scripts/release/recipes.ts";
import { programPath, skipWithout } from "../../scripts/programs/install.mjs";
import { TARGETS } from "../../scripts/release/targets.mjs";
import { withTempDir } from "../support/temp_dir.ts";

/** The recipes as text; `npm run install:try` gives them to the tools they are for. */

const FACTS: RecipeFacts = {
  version: "1.2.0-rc.1",
  description: "Durable jobs",
  homepage: "https://example.com/ts-job",
  license: "Apache-2.0",
};

function archivesOf(targets: readonly { readonly name: string }[]): Map<string, Uint8Array> {
  return new Map(
    targets.flatMap(({ name }) =>
      ["tar.gz", "tar.zst"].map((kind) => {
        const file = `jobctl-1.2.0-rc.1-${name}.${kind}`;
        return [file, Buffer.from(file)] as const;
      })
    ),
  );
}

test("recipesFor() writes version and sums into every template", () => {
  const recipes = recipesFor(FACTS, archivesOf(TARGETS));
  for (const { path, text } of recipes) {
    assert.doesNotMatch(text, /@[A-Z][A-Z0-9_]+@/, path);
  }
  const textOf = (path: string) => recipes.find((each) => each.path === path)!.text;
  const sum = (name: string, algorithm = "sha256") =>
    createHash(algorithm).update(`jobctl-1.2.0-rc.1-${name}`).digest("hex");
  assert.ok(textOf("homebrew/jobctl.rb").includes(`sha256 "${sum("darwin-arm64.tar.gz")}"`));
  assert.ok(textOf("nix/flake.nix").includes(`sha256 = "${sum("linux-arm64.tar.gz")}"`));
  assert.ok(textOf("arch/PKGBUILD").includes(`x86_64=(${sum("linux-x64.tar.zst")})`));
  assert.match(textOf("arch/PKGBUILD"), /^pkgver=1\.2\.0_rc1$/m);
  assert.ok(textOf("alpine/APKBUILD").includes(sum("linux-x64-musl.tar.gz", "sha512")));
  const defaults = textOf("ansible/jobctl/defaults/main.yml");
  assert.ok(defaults.includes(`linux-x64-musl: "${sum("linux-x64-musl.tar.gz")}"`));
});

test("recipesFor() leaves out recipes whose archives were not made", () => {
  const linux = TARGETS.filter(({ name }) => name.startsWith("linux-"));
  const folders = new Set(recipesFor(FACTS, archivesOf(linux)).map(({ path }) => dirname(path)));
  assert.ok(folders.has("arch") && !folders.has("homebrew") && !folders.has("nix"));
});

test("the recipes for pacman and apk are scripts without mistakes", {
  skip: skipWithout("shellcheck"),
}, () =>
  withTempDir({}, ({ path: folder }) => {
    for (const { path, text } of recipesFor(FACTS, archivesOf(TARGETS))) {
      if (!/^(arch|alpine)\//.test(path)) continue;
      const file = join(folder, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      const shell = path.startsWith("arch/") ? "bash" : "sh";
      const checked = spawnSync(shell, ["-n", file], { encoding: "utf8" });
      assert.equal(checked.stderr, "", path);
      const shellcheck = programPath("shellcheck");
      assert.equal(spawnSync(shellcheck, [file], { encoding: "utf8" }).stdout, "", path);
    }
  }));
