import type { MethodName } from "../backend.ts";
import { METHODS } from "../gen/messages.ts";

/** Name of the service of the contract. */
export const SERVICE = "job.v1.JobService";

/** A method of the contract. */
export interface Method {
  /** In code. */
  readonly name: MethodName;
  /** Name in the contract, such as "GetStatus". */
  readonly title: string;
  /** In HTTP/2. */
  readonly path: string;
  /** The types of its messages. */
  readonly input: string;
  readonly output: string;
  readonly isStream: boolean;
}

/** All methods, by name. */
export const METHOD_OF = Object.fromEntries(
  Object.entries(METHODS).map(([name, text]) => {
    const [title, input, output] = text.split(" ") as [string, string, string];
    const isStream = output.endsWith("*");
    const path = `/${SERVICE}/${title}`;
    return [name, { name, title, path, input, output: output.replace("*", ""), isStream }];
  }),
) as Readonly<Record<MethodName, Method>>;
