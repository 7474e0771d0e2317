// Makes src/rpc/gen from the .proto files of src/rpc.
import { install, run } from "./tasks.mjs";

install();
run("buf", ["generate"]);
