// The bill of materials and the statement of provenance of a release.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../tasks.mjs";
import { BUN_VERSION, RUNTIME_PARTS } from "./runtime_parts.mjs";
import { lockedRuntime } from "./runtimes.mjs";

/**
 * The compiled-in parts, in the form of CycloneDX 1.6: the packages from npm, and Bun with its
 * libraries.
 *
 * @param manifest package.json
 * @param options.packages as `packagesOf` of scripts/pack/notices.mjs returns them
 * @param options.targets of the release
 * @param options.atMs time of the commit
 */
export function billOfMaterials(manifest, { packages, targets, atMs }) {
  const product = component(manifest, { type: "application", purlName: manifest.name });
  const locked = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")).packages;
  const libraries = packages.map((one) => {
    const path = one.folder.slice(one.folder.indexOf("node_modules/"));
    return { ...component(one, { type: "library" }), hashes: hashesOf(locked[path].integrity) };
  });
  const runtimes = targets.map((target) => {
    const { name, version, integrity } = lockedRuntime(target);
    const found = component({ name, version, license: "MIT" }, { type: "platform" });
    return { ...found, hashes: hashesOf(integrity) };
  });
  const bun = {
    ...component({ name: "bun", version: BUN_VERSION, license: "MIT" }, { type: "platform" }),
    components: [
      ...RUNTIME_PARTS.map(({ name, license, source }) => ({
        ...{ type: "library", "bom-ref": `bun/${name}`, name },
        ...{ licenses: licensesOf(license), externalReferences: [{ type: "vcs", url: source }] },
      })),
      ...runtimes,
    ],
  };
  const refOf = (name) => libraries.filter((one) => fullName(one) === name)[0]?.["bom-ref"];
  const dependsOn = (names) =>
    [...new Set(Object.keys(names ?? {}).map(refOf).filter((ref) => ref !== undefined))].sort();
  return {
    ...{ $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", bomFormat: "CycloneDX" },
    ...{ specVersion: "1.6", version: 1 },
    metadata: { timestamp: new Date(atMs).toISOString(), component: product },
    components: [...libraries, bun],
    dependencies: [
      {
        ref: product["bom-ref"],
        dependsOn: [...dependsOn(manifest.dependencies), bun["bom-ref"]],
      },
      ...packages.map(({ folder }, index) => {
        const path = folder.slice(folder.indexOf("node_modules/"));
        return {
          ref: libraries[index]["bom-ref"],
          dependsOn: dependsOn(locked[path].dependencies),
        };
      }),
    ],
  };
}

function component({ name, version, license }, { type, purlName = name }) {
  const [scope, bare] = name.startsWith("@") ? name.split("/") : [undefined, name];
  const purl = `pkg:npm/${purlName.replace("@", "%40")}@${version}`;
  return {
    ...{ type, "bom-ref": purl, ...(scope === undefined ? {} : { group: scope }), name: bare },
    ...{ version, licenses: licensesOf(license), purl },
  };
}

function fullName({ group, name }) {
  return group === undefined ? name : `${group}/${name}`;
}

function licensesOf(license) {
  return /^[\w.-]+$/.test(license) ? [{ license: { id: license } }] : [{ expression: license }];
}

/** The hash of a package's archive, from the integrity in package-lock.json. */
function hashesOf(integrity) {
  const [, base64] = /^sha512-(.*)$/.exec(integrity) ?? [];
  return [{ alg: "SHA-512", content: Buffer.from(base64, "base64").toString("hex") }];
}

/**
 * Provenance of the release: a statement of in-toto with SLSA's predicate.
 *
 * @param manifest package.json
 * @param options.files bytes by name: archives, and the programs in them
 * @param options.facts of the source
 */
export function provenance(manifest, { files, targets, facts, level }) {
  const source = manifest.repository.url;
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [...files].map(([name, bytes]) => ({ name, digest: { sha256: sha256(bytes) } })),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: `${manifest.homepage}/blob/main/CONTRIBUTING.md#make-a-release`,
        externalParameters: {
          source: `${source}@${facts.commit}`,
          version: manifest.version,
          targets: targets.map(({ name }) => name),
        },
        internalParameters: { bun: BUN_VERSION, zstd_level: level, has_changes: facts.isChanged },
        resolvedDependencies: [
          { uri: source, digest: { gitCommit: facts.commit } },
          {
            name: "package-lock.json",
            digest: { sha256: sha256(readFileSync(join(ROOT, "package-lock.json"))) },
          },
          ...targets.map((target) => {
            const { name, version, integrity } = lockedRuntime(target);
            const [{ content }] = hashesOf(integrity);
            const uri = `pkg:npm/${name.replace("@", "%40")}@${version}`;
            return { uri, digest: { sha512: content } };
          }),
        ],
      },
      runDetails: {
        builder: { id: `${manifest.homepage}/blob/main/scripts/release.mjs` },
      },
    },
  };
}

/** SHA-256 in hexadecimal digits. */
export function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}
