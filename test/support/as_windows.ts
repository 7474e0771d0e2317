import process from "node:process";

/** Run `body` while this process says that its system is Windows. */
export async function asWindows<T>(body: () => T | Promise<T>): Promise<T> {
  const real = Object.getOwnPropertyDescriptor(process, "platform")!;
  Object.defineProperty(process, "platform", { configurable: true, value: "win32" });
  try {
    return await body();
  } finally {
    Object.defineProperty(process, "platform", real);
  }
}
