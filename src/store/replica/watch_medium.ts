import type { MediumListener, ReplicaMedium } from "./medium.ts";

/**
 * Watch a medium, whoever made it: nothing is told after the watch was lost or stopped.
 *
 * @param failed told of a listener that failed on what the medium told
 */
export function watchMedium(
  medium: ReplicaMedium,
  from: number,
  { changed, lost, failed }: MediumListener & { readonly failed: (thrown: unknown) => void },
): () => void {
  let isCurrent = true;
  const stop = medium.watch(from, {
    changed: (change) => {
      if (!isCurrent) return;
      try {
        changed(change);
      } catch (thrown) {
        failed(thrown);
      }
    },
    lost: (error) => {
      if (!isCurrent) return;
      isCurrent = false;
      lost(error);
    },
  });
  return () => {
    isCurrent = false;
    stop();
  };
}
