/** Install the servers that are missing; answers what is wrong and what to do about it, or null. */
export function installServers(): string | null;
