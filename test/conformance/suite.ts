import {
  type Exceptions,
  type OpenFixture,
  storeConformance,
} from "../../src/conformance/index.ts";
import { valueCases } from "./value_cases.ts";

/** Run the conformance suite, and with it every value of the table of types. */
export function exerciseStore(
  name: string,
  open: OpenFixture,
  options: { readonly skip?: readonly Exceptions[] } = {},
): void {
  storeConformance(name, open, { ...options, cases: valueCases });
}
