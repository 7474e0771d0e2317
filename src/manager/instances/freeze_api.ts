import type { Instance } from "../../core/instance.ts";

/** Freezes commands. */
export interface FreezeApi {
  /**
   * Let the running command of an instance stand still, or continue with `thaw`. Its timeout stands
   * still meanwhile, its lease does not.
   *
   * @returns `changed` false if it was so already
   * @throws JobError `conflict` if it runs no command on this node; `unimplemented` without control
   * groups
   */
  freezeInstance(
    id: string,
    options?: { readonly thaw?: boolean; readonly reason?: string },
  ): Promise<{ readonly instance: Instance; readonly changed: boolean }>;
}
