import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { errorCode, JobError } from "../../core/errors.ts";
import type { PlainResponse } from "../request/http_types.ts";

/** A browser's conditions on a file that it wants. */
export interface SiteConditions {
  readonly acceptEncoding: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

/** Time for which browsers keep a file, in seconds: its name changes with its content. */
const KEPT_S = 31_536_000;
/** Characters of the hash in the page's tag. */
const TAG_LENGTH = 32;
/** Path of the files below the base path. */
const ASSETS = "assets/";

const NOTHING = Buffer.alloc(0);

interface SiteFile {
  readonly type: string;
  readonly gzip: Buffer;
}

/** The dashboard's page and the files that it loads. They are embedded, compressed. */
export class DashboardFiles {
  readonly #page: { readonly body: Buffer; readonly etag: string };
  readonly #files: ReadonlyMap<string, SiteFile>;

  private constructor(page: Buffer, files: ReadonlyMap<string, SiteFile>) {
    const hash = createHash("sha256").update(page).digest("hex").slice(0, TAG_LENGTH);
    this.#page = { body: page, etag: `"${hash}"` };
    this.#files = files;
  }

  /**
   * Load the files of the build.
   *
   * @param basePath the path under which a browser sees the daemon, such as "/" or "/jobs/"
   * @throws JobError `unavailable` from source, if they have not been made
   */
  static async load(basePath: string): Promise<DashboardFiles> {
    const { PAGE, FILES } = await import("./gen/dashboard_bundle.mjs").catch((cause) => {
      if (errorCode(cause) !== "ERR_MODULE_NOT_FOUND") throw cause;
      throw new JobError("unavailable", "Cannot show the dashboard: it has not been built", {
        hint: "Run npm run dashboard",
        cause,
      });
    });
    const files = Object.entries(FILES).map(([name, { type, gzip }]) =>
      [name, { type, gzip: Buffer.from(gzip, "base64") }] as const
    );
    return new DashboardFiles(Buffer.from(PAGE.replaceAll("{base}", basePath)), new Map(files));
  }

  /** The page, which is the same at every path of the dashboard. */
  page({ ifNoneMatch }: SiteConditions): PlainResponse {
    const { body, etag } = this.#page;
    // The page of a later version names other files: browsers have to ask.
    const headers = { etag, "cache-control": "no-cache" };
    if (ifNoneMatch === etag) return { status: 304, headers, body: NOTHING };
    return {
      status: 200,
      headers: { ...headers, "content-type": "text/html; charset=utf-8" },
      body,
    };
  }

  /**
   * A file that the page loads.
   *
   * @param path below the base path, such as "assets/app-0123456789ab.js"
   * @returns null if there is no such file
   */
  file(path: string, { acceptEncoding, ifNoneMatch }: SiteConditions): PlainResponse | null {
    const name = path.startsWith(ASSETS) ? path.slice(ASSETS.length) : "";
    const file = this.#files.get(name);
    if (file === undefined) return null;
    const etag = `"${name}"`;
    const headers = {
      etag,
      "cache-control": `public, max-age=${KEPT_S}, immutable`,
      "vary": "accept-encoding",
    };
    if (ifNoneMatch === etag) return { status: 304, headers, body: NOTHING };
    const content = { ...headers, "content-type": file.type };
    if (!/(^|[\s,])(gzip|\*)([\s,;]|$)/.test(acceptEncoding ?? "")) {
      return { status: 200, headers: content, body: gunzipSync(file.gzip) };
    }
    return { status: 200, headers: { ...content, "content-encoding": "gzip" }, body: file.gzip };
  }
}
