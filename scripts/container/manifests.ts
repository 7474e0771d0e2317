// Prints a TypeScript module that holds the documents of manifests, each with the type that
// Kubernetes gives its kind: bun manifests.ts FILE...
import { readFileSync } from "node:fs";
import process from "node:process";

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
}

declare const Bun: { readonly YAML: { parse(text: string): unknown } };

let text = "export {};\n";
for (const file of process.argv.slice(2)) {
  const documents = [Bun.YAML.parse(readFileSync(file, "utf8"))].flat() as Manifest[];
  for (const each of documents) {
    const from = each.apiVersion === "v1" ? "core/v1" : each.apiVersion;
    const type = `import("kubernetes-types/${from}").${each.kind}`;
    text += `((_: ${type}): void => {})(${JSON.stringify(each)});\n`;
  }
}
process.stdout.write(text);
