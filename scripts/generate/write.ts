// Writes the types of job options and the types for authors of jobs.
import { mkdirSync, writeFileSync } from "node:fs";
import { JOB_OPTIONS } from "../../src/core/job/options.ts";
import { ambientModule } from "./author_types.ts";
import { typesModule } from "./option_types.ts";

const path = (name: string) => new URL(`../../src/${name}`, import.meta.url);

writeFileSync(path("core/job/gen/job_options.ts"), typesModule(JOB_OPTIONS));
mkdirSync(path("jobs/types/gen/"), { recursive: true });
writeFileSync(path("jobs/types/gen/ambient.ts"), ambientModule());
