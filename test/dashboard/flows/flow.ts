import type { DashboardWorld } from "../../support/browser/dashboard_world.ts";

/** Something that a person does, from begin to end. */
export interface Flow {
  readonly name: string;
  readonly run: (world: DashboardWorld) => Promise<void>;
}
