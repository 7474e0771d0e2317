import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { readAssignments } from "../core/text/environment_text.ts";
import { isJobError } from "../core/errors.ts";
import type { Reader } from "./readers.ts";
import { type EnvironmentValues, PLAIN_VARIABLES, readSecretFile } from "./secrets.ts";

const NOTHING: EnvironmentValues = { values: {}, secrets: [] };

/** A file of variables, as `EnvironmentFile=` of systemd: its path, with `-` before it when it need not exist. */
export function environmentFile(): Reader<EnvironmentValues> {
  const wanted = 'the path of a file of variables, with "-" before it if it need not exist';
  return {
    wanted,
    read(field, report) {
      if (typeof field.value !== "string") return report.mismatch(field, wanted);
      const path = field.value.replace(/^-/, "");
      if (path === "") return report.mismatch(field, wanted);
      const isOptional = path !== field.value;
      if (isOptional && !existsSync(resolve(field.source.baseDir, path))) return NOTHING;
      const text = readSecretFile(field, path, report);
      if (text === undefined) return undefined;
      try {
        const values = readAssignments(text);
        const secrets = Object.entries(values).filter(([name]) => !PLAIN_VARIABLES.test(name))
          .map(([, value]) => value);
        for (const secret of secrets) report.secret(field, secret);
        return { values, secrets };
      } catch (error) {
        if (!isJobError(error)) throw error;
        return report.value(field, `${path}: ${error.message}`, error.hint);
      }
    },
  };
}
