// Makes src/rpc/gen and src/store/etcd/gen from the .proto files beside them, the tables of methods
// in docs/, and the types of job options; install() makes the modules of texts.
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
