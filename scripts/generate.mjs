// Makes src/rpc/gen and src/store/etcd/gen from the .proto files beside them.
import { install, run } from "./tasks.mjs";

install();
run("buf", ["generate"]);
run("buf", ["generate", "--template", "buf.gen.etcd.yaml"]);
