import { describeMain } from "../../../src/jobs/loading/describe_main.ts";

await describeMain();
