/** Install missing servers; returns a message with the problem and its remedy, or null. */
export function installServers(): string | null;
