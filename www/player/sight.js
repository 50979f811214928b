/**
 * Watches whether an element can be seen: its page is in front, and at least the share `threshold` of it is in view (0:
 * does not matter). Calls back at each change, and with `ongone` when the page is left. Answers what stops watching.
 */
export function watchSight(element, { threshold, onseen, onhidden, ongone }) {
  const abort = new AbortController();
  let isInView = true;
  const look = () => {
    if (isInView && !(element.visibilityCheck && document.hidden)) onseen();
    else onhidden();
  };
  addEventListener("pagehide", ongone, { signal: abort.signal });
  // The viewer came back to a page that the browser had kept.
  addEventListener("pageshow", ({ persisted }) => persisted && look(), { signal: abort.signal });
  document.addEventListener("visibilitychange", () => element.visibilityCheck && look(), { signal: abort.signal });
  if (threshold > 0) {
    const observer = new IntersectionObserver((entries) => {
      isInView = entries.at(-1).intersectionRatio >= threshold;
      look();
    }, { threshold });
    observer.observe(element);
    abort.signal.addEventListener("abort", () => observer.disconnect());
  }
  return () => abort.abort();
}
