/** Target and interval of the daemon's heartbeat. */
export interface HeartbeatSettings {
  /** Called with GET. It may be a secret. */
  readonly url: string;
  readonly everyMs: number;
  /** True if the host may be in a private network, and the scheme `http:`. */
  readonly allowPrivate: boolean;
}
