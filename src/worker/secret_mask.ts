import type { ErrorInfo } from "../core/instance.ts";
import type { JobSource } from "../core/job.ts";

/** Shortest secret that is masked, in characters: a shorter one would mask ordinary words. */
const SECRET_LENGTH_MIN = 6;

const MASK = "***";

/** Replaces the secrets of a job in what it prints and in the errors that it fails with. */
export class SecretMask {
  readonly #secrets: readonly string[];

  /** @param secrets texts; of one with several lines each line is a secret */
  constructor(secrets: readonly string[]) {
    const lines = secrets.flatMap((secret) => [secret, ...secret.split(/\r?\n/)]);
    const long = new Set(lines.filter((line) => line.length >= SECRET_LENGTH_MIN));
    // One may be a part of another.
    this.#secrets = [...long].sort((a, b) => b.length - a.length);
  }

  text(text: string): string {
    let masked = text;
    for (const secret of this.#secrets) {
      if (masked.includes(secret)) masked = masked.replaceAll(secret, MASK);
    }
    return masked;
  }

  error(error: ErrorInfo): ErrorInfo {
    if (this.#secrets.length === 0) return error;
    const { message, stack, ...rest } = error;
    return {
      ...rest,
      message: this.text(message),
      ...(stack === undefined ? {} : { stack: this.text(stack) }),
    };
  }
}

const NO_SECRETS = new SecretMask([]);
const masks = new WeakMap<JobSource, SecretMask>();

/** The mask of a job, made once. */
export function maskOf(source: JobSource): SecretMask {
  const secrets = source.type === "module"
    ? source.process?.secrets ?? []
    : source.type === "command"
    ? source.command.secrets
    : [];
  if (secrets.length === 0) return NO_SECRETS;
  const known = masks.get(source);
  if (known !== undefined) return known;
  const mask = new SecretMask(secrets);
  masks.set(source, mask);
  return mask;
}
