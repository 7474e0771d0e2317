/** Reads of the tags that jobs need. */
export interface TagReads {
  /**
   * The kinds of the jobs here that need a tag.
   *
   * @param patterns of the kinds that count; by default all do
   * @throws JobError `invalid_argument` if it cannot be a tag, `not_found` if no job needs it
   */
  kindsOfTag(tag: string, patterns?: readonly string[]): Promise<readonly string[]>;
}
