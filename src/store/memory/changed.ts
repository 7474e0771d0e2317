/**
 * Called after each change of a table in memory, with the new value, or null for a deleted one.
 * `undo` reverts the change, after all later ones; it changes the table again.
 */
export type Changed<Key, Value> = (key: Key, value: Value | null, undo: () => void) => void;
