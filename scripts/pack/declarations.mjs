// Emits the declarations that the entries of the library reach.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { run } from "../tasks.mjs";
import { EXTERNAL } from "./bundle.mjs";

const ENTRIES = ["index.d.ts", "client.d.ts", "conformance/index.d.ts", "testing/index.d.ts"];

const SPECIFIER = /(\bfrom |\bimport\()"([^"]+)"/g;

/**
 * Write the declarations of the public modules, and of everything that they name, into a folder.
 *
 * @throws Error if one names the types of a package that users do not install
 */
export function declare(folder) {
  const all = mkdtempSync(join(tmpdir(), "jobctl-types-"));
  try {
    // The gate checks the types: here it would take more than half of the time.
    run("tsc", ["-p", "tsconfig.lib.json", "--noCheck", "--outDir", all]);
    const waiting = [...ENTRIES];
    const seen = new Set(waiting);
    for (const path of waiting) {
      const text = readFileSync(join(all, "src", path), "utf8");
      const written = text.replace(SPECIFIER, (_, keyword, specifier) => {
        if (!specifier.startsWith(".")) {
          checkInstalled(specifier, path);
          return `${keyword}"${specifier}"`;
        }
        const target = normalize(join(dirname(path), specifier)).replace(/\.ts$/, ".d.ts");
        if (!seen.has(target)) {
          seen.add(target);
          waiting.push(target);
        }
        // Older compilers refuse ".ts" in declarations.
        return `${keyword}"${specifier.replace(/\.ts$/, ".js")}"`;
      });
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), written);
    }
  } finally {
    rmSync(all, { recursive: true, force: true });
  }
}

function checkInstalled(specifier, path) {
  if (specifier.startsWith("node:")) return;
  if (EXTERNAL.some((name) => specifier === name || specifier.startsWith(`${name}/`))) return;
  throw new Error(
    `Cannot pack the declaration ${path}: it names "${specifier}", which users do not install. ` +
      "Name only types of src/ in what index.ts, client.ts, conformance/index.ts and testing/index.ts export",
  );
}
