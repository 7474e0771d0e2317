import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PRIVATE_FILE } from "../platform/files/private_files.ts";
import { readRegularFile } from "../platform/files/read_file.ts";
import type { Random } from "../platform/random.ts";
import type { ClaimOfRun, SealedClaim } from "./protocol.ts";
import { KEY_FILE } from "./supervisor_folder.ts";

const KEY_BYTES = 32;

/**
 * Shows the next daemon which claim an earlier one gave to which supervisor. A command has the
 * rights of its supervisor, and could make it list foreign claims. Daemons keep the key in their
 * folder, which no other user may enter.
 */
export class ClaimSeal {
  readonly #key: Buffer;

  private constructor(key: Buffer) {
    this.#key = key;
  }

  /** Read the seal from a folder's key; null without a key. */
  static read(folder: string): ClaimSeal | null {
    try {
      const key = readRegularFile(keyOf(folder), KEY_BYTES)?.bytes;
      return key?.length === KEY_BYTES ? new ClaimSeal(Buffer.from(key)) : null;
    } catch {
      return null;
    }
  }

  /** With the key of a folder, or with a new one. @throws the system's error */
  static open(folder: string, random: Random): ClaimSeal {
    const seal = ClaimSeal.read(folder) ?? new ClaimSeal(Buffer.from(random.bytes(KEY_BYTES)));
    seal.keepIn(folder);
    return seal;
  }

  /** Write the key into a folder that lacks it, as after its removal. @throws the system's error */
  keepIn(folder: string): void {
    if (ClaimSeal.read(folder) !== null) return;
    const unfinished = `${keyOf(folder)}.new`;
    rmSync(unfinished, { force: true });
    writeFileSync(unfinished, this.#key, { mode: PRIVATE_FILE, flag: "wx" });
    renameSync(unfinished, keyOf(folder));
  }

  /** @param marker of the command; begins with the token of its supervisor */
  seal({ id, fence }: ClaimOfRun, marker: string): SealedClaim {
    return { id, fence, seal: this.#sealOf({ id, fence }, marker).toString("base64url") };
  }

  /** True if a daemon gave this claim to this command. */
  isGenuine(claim: SealedClaim, marker: string): boolean {
    const own = this.#sealOf(claim, marker);
    const given = Buffer.from(claim.seal, "base64url");
    return given.length === own.length && timingSafeEqual(given, own);
  }

  #sealOf({ id, fence }: ClaimOfRun, marker: string): Buffer {
    return createHmac("sha256", this.#key).update(JSON.stringify([marker, id, fence])).digest();
  }
}

function keyOf(folder: string): string {
  return join(folder, KEY_FILE);
}
