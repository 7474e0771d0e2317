// The copyright file of the packages, in Debian's machine-readable form (DEP 5).
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BUN_SOURCE, BUN_VERSION, RUNTIME_PARTS } from "./runtime_parts.mjs";
import { HOMEPAGE, MAINTAINER } from "./package_files.mjs";

/** Licenses whose text every Debian system has. */
const COMMON = {
  "Apache-2.0": "Apache-2.0",
  "LGPL-2.0": "LGPL-2",
  "LGPL-2.1": "LGPL-2.1",
};

/** @param packages compiled-in ones, as `packagesOf` of scripts/pack/notices.mjs returns them */
export function copyrightOf(packages) {
  const parts = [
    { name: "bun", license: "MIT", source: BUN_SOURCE },
    ...RUNTIME_PARTS,
  ];
  const licenses = new Set(
    parts.flatMap(({ license }) => nameOf(license).split(" and ")).concat("Apache-2.0"),
  );
  return [
    [
      "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
      "Upstream-Name: ts-job",
      `Upstream-Contact: ${MAINTAINER}`,
      `Source: ${HOMEPAGE}`,
      "Comment:",
      ` usr/bin/jobctl is compiled from the files of ts-job and of the packages in`,
      ` node_modules. It begins with the program of Bun ${BUN_VERSION}, which links the`,
      " libraries below bun.",
      " /usr/share/doc/jobctl/THIRD-PARTY-NOTICES says how to link changed ones.",
    ].join("\n"),
    stanza("*", "the contributors of ts-job", "Apache-2.0"),
    ...packages.map(packageStanza),
    ...parts.map(({ name, license, source }) =>
      `${stanza(`bun/${name}/*`, `the authors of ${name}`, nameOf(license))}\nComment: ${source}`
    ),
    ...[...licenses].sort().map(licenseStanza),
  ].join("\n\n") + "\n";
}

function stanza(files, copyright, license) {
  return `Files: ${files}\nCopyright: ${copyright}\nLicense: ${license}`;
}

function packageStanza({ name, version, license, folder }) {
  const texts = readdirSync(folder).filter((file) => /^licen[cs]e/i.test(file)).sort()
    .map((file) => readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n"));
  const owners = texts.flatMap((text) =>
    [...text.matchAll(/^\W*(?:Copyright|©)\W.*\d{4}.*$/gim)].map(([line]) =>
      line.trim().replace(/^\W*Copyright\s*/i, "").replace(/^(\(c\)|©)\s*/i, "")
    )
  );
  const owner = [...new Set(owners)].join("\n           ") || `the authors of ${name}`;
  const head = stanza(`node_modules/${name}/*`, owner, nameOf(license));
  const isLong = /^Apache-2\.0$/.test(nameOf(license)) || texts.length === 0;
  const text = isLong ? "" : `\n${indented(texts.join("\n\n"))}`;
  return `${head}${text}\nComment: ${name} ${version}`;
}

function licenseStanza(license) {
  const base = license.replace(/-only$/, "");
  const text = COMMON[base] === undefined
    ? `https://spdx.org/licenses/${license} has the text. The copyright notices are in the\n` +
      "sources that are named above."
    : `On Debian systems, /usr/share/common-licenses/${COMMON[base]} has the text.`;
  return `License: ${license}\n${indented(text)}`;
}

/** A license in DEP 5's form. */
function nameOf(license) {
  return license.replace(/^\((.*)\)$/, "$1").replaceAll(" AND ", " and ")
    .replace("Apache-2.0 WITH LLVM-exception", "Apache-2.0-LLVM-exception");
}

function indented(text) {
  return text.trim().split("\n").map((line) => ` ${line.trim() === "" ? "." : line.trimEnd()}`)
    .join("\n");
}
