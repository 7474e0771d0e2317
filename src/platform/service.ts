/** Starts once and stops once. `stop` after a failed `start` is allowed and cleans up. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}
