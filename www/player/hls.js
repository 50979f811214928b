import { holdPicture } from "./stills.js";

/**
 * Plays HLS as the browser does it by itself. `master` is the master playlist's text; its first address, taken from
 * `base`, is a playlist that the browser can load. Throws when it has none.
 */
export function playHls(video, { master, base, onplaying, onfail }) {
  const path = master.split(/\r?\n/).find((line) => line !== "" && !line.startsWith("#"));
  if (!path) throw new RangeError("the server's playlist is empty");
  holdPicture(video);
  video.srcObject = null;
  video.src = new URL(path, base).href;
  video.addEventListener("loadeddata", onplaying, { once: true });
  video.addEventListener("error", () => {
    if (video.src) onfail(video.error?.message || "the browser cannot play it");
  }, { once: true });
}
