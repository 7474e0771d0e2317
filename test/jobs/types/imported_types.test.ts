import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { convertArguments } from "../../../src/core/arguments/convert.ts";
import { describeSignature } from "../../../src/core/arguments/describe.ts";
import type { Signature } from "../../../src/core/arguments/signature.ts";
import { readSignature } from "../../../src/jobs/types/read_signature.ts";
import { withTempDir } from "../../support/temp_dir.ts";

/** The signature of the job `job.ts` (or of another file) among files. */
async function signatureIn(
  files: Readonly<Record<string, string>>,
  job = "job.ts",
): Promise<Signature> {
  return await withTempDir(files, async ({ path }) => {
    const file = join(path, job);
    return readSignature(readFileSync(file, "utf8"), {
      file,
      language: job.endsWith("ts") ? "ts" : "js",
    });
  });
}

const ORDER =
  "export interface Order { id: bigint; lines: Line[] }\ninterface Line { price: number }";
const JOB = (source: string) => `${source}\nexport default (x: Order) => {};`;

const IMPORTS: readonly [name: string, files: Readonly<Record<string, string>>][] = [
  ["import type", { "job.ts": JOB('import type { Order } from "./types.ts";'), "types.ts": ORDER }],
  ["import { type }", {
    "job.ts": JOB('import { type Order } from "./types.ts";'),
    "types.ts": ORDER,
  }],
  ["another name", {
    "job.ts": JOB('import type { Line as Order } from "./types.ts";'),
    "types.ts": "export interface Line { id: bigint; lines: { price: number }[] }",
  }],
  ["the ending of the output", {
    "job.ts": JOB('import type { Order } from "./types.js";'),
    "types.ts": ORDER,
  }],
  ["no ending", { "job.ts": JOB('import type { Order } from "./types";'), "types.ts": ORDER }],
  ["an index", {
    "job.ts": JOB('import type { Order } from "./types";'),
    "types/index.ts": ORDER,
  }],
  ["a folder above", {
    "a/job.ts": JOB('import type { Order } from "../types.ts";'),
    "types.ts": ORDER,
  }],
  ["a declaration file", {
    "job.ts": JOB('import type { Order } from "./types.js";'),
    "types.js": "export {};",
    "types.d.ts": ORDER.replace("export interface", "export declare interface"),
  }],
  ["a default export", {
    "job.ts": JOB('import type Order from "./types.ts";'),
    "types.ts": ORDER.replace("export interface", "export default interface"),
  }],
  ["export after the declaration", {
    "job.ts": JOB('import type { Order } from "./types.ts";'),
    "types.ts": `${ORDER.replace("export ", "")}\nexport type { Order };`,
  }],
  ["a re-export", {
    "job.ts": JOB('import type { Order } from "./all.ts";'),
    "all.ts": 'export type { Order } from "./types.ts";',
    "types.ts": ORDER,
  }],
  ["a re-export under another name", {
    "job.ts": JOB('import type { Order } from "./all.ts";'),
    "all.ts": 'export { type Old as Order } from "./types.ts";',
    "types.ts": ORDER.replace("interface Order", "interface Old"),
  }],
  ["an import that is exported", {
    "job.ts": JOB('import type { Order } from "./all.ts";'),
    "all.ts": 'import type { Order } from "./types.ts";\nexport type { Order };',
    "types.ts": ORDER,
  }],
  ["export *", {
    "job.ts": JOB('import type { Order } from "./all.ts";'),
    "all.ts": 'export * from "./none.ts";\nexport * from "./types.ts";',
    "none.ts": "export const a = 1;",
    "types.ts": ORDER,
  }],
  ["export * in circles", {
    "job.ts": JOB('import type { Order } from "./all.ts";'),
    "all.ts": 'export * from "./more.ts";\nexport * from "./types.ts";',
    "more.ts": 'export * from "./all.ts";',
    "types.ts": ORDER,
  }],
];

for (const [name, files] of IMPORTS) {
  test(`readSignature() reads types of other files by ${name}`, async () => {
    const job = Object.keys(files)[0]!;
    const signature = await signatureIn(files, job);
    assert.deepEqual(signature.warnings, []);
    const order = { id: "12", lines: [{ price: "1.5" }] };
    assert.deepEqual(convertArguments(signature, [order]), [{ id: 12n, lines: [{ price: 1.5 }] }]);
  });
}

const QUALIFIED: readonly [name: string, job: string][] = [
  ["a namespace", 'import type * as t from "./types.ts";\nexport default (x: t.Order) => {};'],
  ["import()", 'export default (x: import("./types.ts").Order) => {};'],
  [
    "a base interface",
    `import type { Order } from "./types.ts";
    interface Big extends Order { size?: number }
    export default (x: Big) => {};`,
  ],
  [
    "a base of a namespace",
    `import type * as t from "./types.ts";
    interface Big extends t.Order { size?: number }
    export default (x: Big) => {};`,
  ],
  ["an exported namespace", `import { t } from "./all.ts";\nexport default (x: t.Order) => {};`],
];

for (const [name, job] of QUALIFIED) {
  test(`readSignature() reads types of other files by ${name}`, async () => {
    const signature = await signatureIn({
      "job.ts": job,
      "types.ts": ORDER,
      "all.ts": 'export * as t from "./types.ts";',
    });
    assert.deepEqual(signature.warnings, []);
    assert.throws(
      () => convertArguments(signature, [{ id: 1, lines: [{ price: "x" }] }]),
      /argument "x.lines\[0\].price"/,
    );
  });
}

test("readSignature() reads enums, constants and functions of other files", async () => {
  const signature = await signatureIn({
    "job.ts": `import { COLORS, Level } from "./values.ts";
      import { run } from "./run.ts";
      export default { run, timeout: "1m" };`,
    "run.ts": `import { COLORS, Level, type Name } from "./values.ts";
      /** Runs. */
      export const run = (color: keyof typeof COLORS, level = Level.Low, name?: Name): void => {};`,
    "values.ts": `export const COLORS = { red: 1, blue: 2 } as const;
      export enum Level { Low, High }
      export type Name = string;`,
  });
  assert.deepEqual(signature.warnings, []);
  assert.equal(
    describeSignature("k", signature),
    'k <color: "red" | "blue"> [level: Level = Level.Low] [name: string]',
  );
  assert.equal(signature.doc, "Runs.");
  assert.deepEqual(convertArguments(signature, ["blue", "High"]), ["blue", 1]);
});

test("readSignature() finds a job that is passed on from another file", async () => {
  const files = {
    "job.ts": 'export { default } from "./impl.ts";',
    "impl.ts": "export default async (day: Date): Promise<void> => {};",
  };
  assert.equal(describeSignature("k", await signatureIn(files)), "k <day: Date>");
});

test("readSignature() tells types of one name in two files apart", async () => {
  const tree = (type: string) => `export interface Tree { value: ${type}; kids?: Tree[] }`;
  const signature = await signatureIn({
    "job.ts": `import type { Tree } from "./a.ts";
      import type { Tree as Other } from "./b.ts";
      export default (x: Tree, y: Other) => {};`,
    "a.ts": tree("number"),
    "b.ts": tree("string"),
  });
  assert.deepEqual(Object.keys(signature.definitions ?? {}), ["Tree", "Tree2"]);
  const values = [{ value: "1", kids: [{ value: 2 }] }, { value: "1" }];
  assert.deepEqual(convertArguments(signature, values), [
    { value: 1, kids: [{ value: 2 }] },
    { value: "1" },
  ]);
});

test("readSignature() reads the library's own types", async () => {
  const signature = await signatureIn({
    "all.ts": 'export type { Context, Int } from "ts-job";',
    "job.ts": `import type { Context as C, Int } from "./all.ts";
      import type { JobState } from "ts-job";
      type Ctx = C;
      export default (context: Ctx, count: Int, state: JobState) => {};`,
  });
  assert.deepEqual(signature.warnings, []);
  assert.equal(signature.parameters[0]?.role, "injected");
  assert.deepEqual(convertArguments(signature, ["5", "completed"]), [5, "completed"]);
  assert.throws(() => convertArguments(signature, ["5", "done"]), /"done" is not "created" \|/);
});

const UNREADABLE: readonly [name: string, files: Readonly<Record<string, string>>, RegExp][] = [
  ["there is no such file", {}, /"Order" is imported and taken as unknown: there is no such file/],
  ["the file lacks the type", { "types.ts": "export const a = 1;" }, /types.ts has no "Order"/],
  ["it is not exported", { "types.ts": "interface Order { id: 1 }" }, /types.ts has no "Order"/],
  [
    "the file has a syntax error",
    { "types.ts": "export interface {" },
    /Cannot parse .*types.ts:1:/,
  ],
  ["the file passes it on in circles", {
    "types.ts": 'export { Order } from "./b.ts";',
    "b.ts": 'export { Order } from "./types.ts";',
  }, /has no "Order"/],
];

for (const [name, files, message] of UNREADABLE) {
  test(`readSignature() warns with file and line when ${name}`, async () => {
    const source =
      '\nimport type { Order } from "./types.ts";\nexport default (x: Order, y: Int) => {};';
    const signature = await signatureIn({ "job.ts": source, ...files });
    assert.equal(signature.warnings.length, 2);
    assert.match(signature.warnings[0]!.message, message);
    assert.ok(signature.warnings[0]!.file?.endsWith("/job.ts"));
    assert.deepEqual([signature.warnings[0]!.line, signature.warnings[0]!.column], [3, 20]);
    assert.equal(describeSignature("k", signature), "k <x: unknown> <y: unknown>");
  });
}

test("readSignature() names the imported file when a type in it cannot be read", async () => {
  const signature = await signatureIn({
    "job.ts": 'import type { A } from "./types.ts";\nexport default (x: A) => {};',
    "types.ts": "\n\nexport interface A { a: WeakMap<object, 1> }",
  });
  assert.equal(signature.warnings.length, 1);
  assert.ok(signature.warnings[0]!.file?.endsWith("/types.ts"));
  assert.equal(signature.warnings[0]!.line, 3);
});
