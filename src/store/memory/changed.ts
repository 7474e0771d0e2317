/**
 * Called after each change of a table in memory, with the new value, or null for a deleted one.
 * `undo` takes the change back, once every later one has been; it changes the table again.
 */
export type Changed<Key, Value> = (key: Key, value: Value | null, undo: () => void) => void;
