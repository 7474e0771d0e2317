/** A system that a release is for. */
export interface Target {
  readonly name: string;
  readonly runtime: string;
  readonly bunTarget: string;
}
export const TARGETS: readonly Target[];
