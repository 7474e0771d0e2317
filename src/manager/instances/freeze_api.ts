import type { Instance } from "../../core/instance.ts";

/** Freezes commands. */
export interface FreezeApi {
  /**
   * Freeze the running command of an instance, or let it continue with `thaw`. Its timeout does not
   * count meanwhile, but its lease does.
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
