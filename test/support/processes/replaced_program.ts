import process from "node:process";
import { replaceProgram } from "../../../src/platform/process/process_control.ts";

// Runs the program of its first argument in its own place.
try {
  replaceProgram(process.argv[2]!, null);
} catch (error) {
  console.log(`still here: ${(error as Error).message}`);
}
