import { type SupervisorRecord, updateRecord } from "../../../src/supervisor/supervisor_folder.ts";

// Changes a record, and prints the code of the error that prevents it.
const [place, record] = process.argv.slice(2);
try {
  updateRecord(place!, JSON.parse(record!) as SupervisorRecord);
  console.log("changed");
} catch (error) {
  console.log((error as NodeJS.ErrnoException).code);
}
