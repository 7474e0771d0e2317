import { describeMain } from "../../src/jobs/describe_main.ts";

await describeMain();
