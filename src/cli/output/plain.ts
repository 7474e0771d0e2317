/** Data without behaviour, as JSON has it. An absent key is undefined and is not written. */
export type Plain =
  | string
  | number
  | boolean
  | null
  | readonly Plain[]
  | PlainRecord;

/** Plain data by key. */
export interface PlainRecord {
  readonly [key: string]: Plain | undefined;
}
