/** Most cached views: there is one per distinct list of jobs. */
const VIEWS_MAX = 100;

/** Views for callers limited to certain jobs, created once per list of jobs. */
export class ScopedViews<View> {
  readonly #make: (jobs: readonly string[]) => View;
  readonly #views = new Map<string, View>();

  constructor(make: (jobs: readonly string[]) => View) {
    this.#make = make;
  }

  of(jobs: readonly string[]): View {
    // Kinds may have blanks, and the patterns of one caller must not pass for those of another.
    const key = JSON.stringify(jobs);
    const known = this.#views.get(key);
    if (known !== undefined) return known;
    const view = this.#make(jobs);
    if (this.#views.size >= VIEWS_MAX) this.#views.clear();
    this.#views.set(key, view);
    return view;
  }
}
