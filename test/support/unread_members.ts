/** The members of an object that a function of it does not read: those that it forgot. */
export function unreadMembers<T extends object>(
  object: T,
  names: readonly string[],
  read: (object: T) => unknown,
): readonly string[] {
  const found = new Set<string | symbol>();
  read(
    new Proxy(object, {
      get(target, name) {
        found.add(name);
        return Reflect.get(target, name);
      },
    }),
  );
  return names.filter((name) => !found.has(name));
}
