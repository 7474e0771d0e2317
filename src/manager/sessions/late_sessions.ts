import { Lazy } from "../../platform/lazy.ts";
import type { SessionApi, SessionParts } from "./session.ts";

/** The sessions of a store. Their code is loaded with the first use. */
export function lateSessions(parts: () => SessionParts): SessionApi {
  const late = new Lazy<SessionApi>(async () => {
    const { Sessions } = await import("./sessions.ts");
    return new Sessions(parts());
  });
  return {
    createCode: async (...args) => (await late.get()).createCode(...args),
    waitingCodes: async () => (await late.get()).waitingCodes(),
    redeemCode: async (code) => (await late.get()).redeemCode(code),
    open: async (...args) => (await late.get()).open(...args),
    use: async (id, address) => (await late.get()).use(id, address),
    list: async (proof) => (await late.get()).list(proof),
    revoke: async (prefix, proof) => (await late.get()).revoke(prefix, proof),
  };
}
