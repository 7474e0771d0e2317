/** Views that are kept: there are as many as different lists of jobs of tokens. */
const VIEWS_MAX = 100;

/** What answers the callers who may use some jobs only: made once for each list of jobs. */
export class ScopedViews<View> {
  readonly #make: (jobs: readonly string[]) => View;
  readonly #views = new Map<string, View>();

  constructor(make: (jobs: readonly string[]) => View) {
    this.#make = make;
  }

  of(jobs: readonly string[]): View {
    const key = jobs.join(" ");
    const known = this.#views.get(key);
    if (known !== undefined) return known;
    const view = this.#make(jobs);
    if (this.#views.size >= VIEWS_MAX) this.#views.clear();
    this.#views.set(key, view);
    return view;
  }
}
