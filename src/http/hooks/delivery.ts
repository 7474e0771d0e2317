import { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import { JobError } from "../../core/errors.ts";
import type { HookCondition, HookSource, JobHook } from "../../core/hooks/hook.ts";
import { valueAt } from "../../core/hooks/json_path.ts";
import { readBody } from "../api/json_body.ts";

/** A request to a hook whose signature is right. */
export interface DeliveryRequest {
  readonly headers: IncomingHttpHeaders;
  readonly query: URLSearchParams;
  readonly body: Uint8Array;
}

/** A request to a hook, and the values in it. */
export class Delivery {
  readonly #request: DeliveryRequest;
  #body: { readonly value: unknown } | null = null;

  constructor(request: DeliveryRequest) {
    this.#request = request;
  }

  /**
   * The value of its JSON body; undefined without a body.
   *
   * @throws JobError `unimplemented` for another form of body; `invalid_argument` if unreadable
   */
  get body(): unknown {
    this.#body ??= { value: this.#read() };
    return this.#body.value;
  }

  /** The value at a place; undefined if missing. @throws JobError like {@link body} */
  valueOf(from: HookSource): unknown {
    switch (from.part) {
      case "body":
        return valueAt(this.body, from.path);
      case "header": {
        const { headers } = this.#request;
        return Object.hasOwn(headers, from.name) ? headers[from.name] : undefined;
      }
      case "query":
        return this.#request.query.get(from.name) ?? undefined;
    }
  }

  /** The first unmet condition; null if all are met. */
  unmet({ conditions }: JobHook): HookCondition | null {
    return conditions.find(({ from, values }) => {
      const found = this.valueOf(from);
      return !values.some((value) => value === found);
    }) ?? null;
  }

  /** The arguments of the job. @throws JobError `invalid_argument` for a missing one */
  arguments({ arguments: passed }: JobHook): readonly unknown[] | Record<string, unknown> {
    const values = passed.map(({ name, from, isRequired }) => {
      const value = this.valueOf(from);
      if (value === undefined && isRequired) throw missing(name, from);
      return [name, value] as const;
    });
    if (values.every(([name]) => typeof name === "number")) return values.map(([, value]) => value);
    // Defined, not assigned: a name may be "__proto__".
    return Object.fromEntries(values.filter(([, value]) => value !== undefined));
  }

  #read(): unknown {
    const { headers, body } = this.#request;
    if (body.byteLength === 0) return undefined;
    const type = (headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase();
    if (/^application\/(?:[^/]+\+)?json$/.test(type)) return readBody(body);
    const form = type === "application/x-www-form-urlencoded" ? payloadOf(body) : null;
    if (form !== null) return readBody(Buffer.from(form));
    throw new JobError("unimplemented", "Cannot read the body: it is not said to be JSON", {
      hint: 'Let the sender use the content type "application/json"',
    });
  }
}

/** The JSON that GitHub sends in a form; null without it. */
function payloadOf(body: Uint8Array): string | null {
  return new URLSearchParams(Buffer.from(body).toString("utf8")).get("payload");
}

function missing(name: string | number, { text }: HookSource): JobError {
  const shown = typeof name === "number" ? `argument ${name + 1}` : `argument "${name}"`;
  const message = `Cannot find ${text}, for ${shown}: the request does not have it`;
  return new JobError("invalid_argument", message, {
    path: String(name),
    hint: "Make the argument optional, or leave such requests out with hook.only",
  });
}
