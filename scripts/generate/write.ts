// Writes the types of all options, the types for authors of jobs, the code for rows of instances,
// and the files of services.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { JOB_OPTIONS } from "../../src/core/job/options.ts";
import { RUN_OPTIONS } from "../../src/core/job/run_options.ts";
import { ambientModule } from "./author_types.ts";
import { instanceModules } from "./instance_rows.ts";
import { runOptionsModule, typesModule } from "./option_types.ts";
import { contribFiles } from "./service_files.ts";

const path = (name: string) => new URL(`../../src/${name}`, import.meta.url);

writeFileSync(path("core/job/gen/job_options.ts"), typesModule(JOB_OPTIONS));
writeFileSync(path("core/job/gen/run_options.ts"), runOptionsModule(RUN_OPTIONS));
mkdirSync(path("jobs/types/gen/"), { recursive: true });
writeFileSync(path("jobs/types/gen/ambient.ts"), ambientModule());
for (const [name, text] of Object.entries(instanceModules())) {
  mkdirSync(dirname(fileURLToPath(path(name))), { recursive: true });
  writeFileSync(path(name), text);
}

for (const [name, text] of Object.entries(contribFiles())) {
  const file = fileURLToPath(new URL(`../../${name}`, import.meta.url));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode: name.startsWith("contrib/openrc/") ? 0o755 : 0o644 });
}
