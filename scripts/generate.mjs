// Makes src/rpc/gen from src/rpc/job.proto.
import { run } from "./tasks.mjs";

run("buf", ["generate"]);
