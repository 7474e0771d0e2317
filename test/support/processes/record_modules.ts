import { appendFileSync, readFileSync } from "node:fs";

/** Loaded before a program by Bun: writes the path of each module that the program loads. */

interface Builder {
  onLoad(
    of: { readonly filter: RegExp },
    load: (module: { readonly path: string }) => { contents: string; loader: "ts" | "js" },
  ): void;
}

declare const Bun: {
  plugin(plugin: { readonly name: string; setup(builder: Builder): void }): void;
};

Bun.plugin({
  name: "record modules",
  setup(builder) {
    builder.onLoad({ filter: /\/(?:src|node_modules)\/.*\.(?:ts|m?js)$/ }, ({ path }) => {
      appendFileSync(process.env.MODULES_FILE!, `${path}\n`);
      const loader = path.endsWith(".ts") ? "ts" : "js";
      return { contents: readFileSync(path, "utf8"), loader };
    });
  },
});
