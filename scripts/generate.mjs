// Generates src/rpc/gen and src/store/etcd/gen from the .proto files beside them, the tables of
// methods in docs/, the types of options, and the rows of instances. install() writes the modules
// with the texts of files.
import { join } from "node:path";
import { install, ROOT, run } from "./tasks.mjs";

install();
run("buf", ["generate"]);
run("buf", ["generate", "--template", "buf.gen.etcd.yaml"]);
run("bun", [join(ROOT, "scripts", "generate", "write.ts")]);
run("bun", [join(ROOT, "scripts", "generate", "messages.ts")]);
run("bun", [join(ROOT, "scripts", "generate", "method_rules.ts")]);
run("bun", [join(ROOT, "scripts", "generate", "method_pages.ts")]);
run("bun", [join(ROOT, "scripts", "generate", "dashboard_types.ts")]);
