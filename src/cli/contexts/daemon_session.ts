import { isJobError, JobError } from "../../core/errors.ts";
import { makeLinesVisible } from "../../core/text/safe_text.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type { CliIo } from "../io/io.ts";
import type { Args } from "../parsing/args.ts";
import { addressText, DEFAULT_SOURCE, findDaemon, type FoundDaemon } from "./find_daemon.ts";

/** The connection of one verb: its daemon is looked up first, and called on first use. */
export class DaemonSession {
  readonly #args: Args;
  readonly #io: CliIo;
  readonly #values: "text" | "json";
  #found: FoundDaemon | null = null;
  #client: JobClient | null = null;

  constructor(args: Args, io: CliIo, values: "text" | "json") {
    this.#args = args;
    this.#io = io;
    this.#values = values;
  }

  /** Look up the daemon to call. @throws JobError like {@link findDaemon} */
  async find(): Promise<FoundDaemon> {
    return this.#found ??= await findDaemon(this.#args, this.#io);
  }

  /** The client, which connects at its first call. */
  async client(): Promise<JobClient> {
    if (this.#client !== null) return this.#client;
    const { settings, source, passedOver } = await this.find();
    if (this.#args.flag("verbose")) {
      const lines = [`Daemon: ${addressText(settings)}, named by ${source}`, ...passedOver];
      await this.#io.stderr.write(`${makeLinesVisible(lines.join("\n"))}\n`);
    }
    const connect = this.#io.connect ??
      (await import("../../rpc/client/socket_client.ts")).connectAtOnce;
    return this.#client ??= await connect({ ...settings, values: this.#values });
  }

  /** The daemon and its source: `localhost:59051 (the default)`. */
  async daemonText(): Promise<string> {
    const { settings, source } = await this.find();
    return `${(await this.#connectionInfo())?.address ?? addressText(settings)} (${source})`;
  }

  /** The error with the searched places, if no daemon was found. */
  async explained(error: unknown): Promise<unknown> {
    if (!isJobError(error, "unavailable") || this.#client === null) return error;
    const at = await this.#connectionInfo();
    // It was found: a part that it needs is unavailable.
    if (this.#io.connect !== undefined || at?.isReady()) return error;
    const { source, passedOver } = await this.find();
    const sockets = at?.triedSockets ?? [];
    const parts = [
      ...(error.hint === undefined ? [] : [error.hint]),
      addressNote(source),
      ...(sockets.length === 0
        ? []
        : [`Nobody listens at the socket ${sockets.join(", ")} either`]),
      ...passedOver.map((reason) => `Not used: ${reason}`),
    ];
    const { code, message, path } = error;
    // The first may be a question.
    const hint = parts.join(". ").replace("?. ", "? ");
    return new JobError(code, message, { hint, path, cause: error });
  }

  close(): void {
    this.#client?.close();
  }

  /** The client's connection facts; null before a connection, or if a test replaced it. */
  async #connectionInfo() {
    if (this.#client === null || this.#io.connect !== undefined) return null;
    const { connectionInfo } = await import("../../rpc/client/connection_info.ts");
    return await connectionInfo(this.#client);
  }
}

/** The source of an address. Variables of credentials alone leave the default one. */
function addressNote(source: string): string {
  if (source === DEFAULT_SOURCE) return "The address is the default";
  return /^JOBCTL_(?:TOKEN|TLS)/.test(source)
    ? `With ${source} alone, the address is the default: a config.toml and contexts are not read. ` +
      "Add --host and --port, or JOBCTL_HOST and JOBCTL_PORT"
    : `The address is from ${source}`;
}
