import { mediaSourceClass } from "./mse.js";

/** The technologies among the wanted ones that play one at a time, in the order in which they are tried. */
export function technologies(wanted) {
  const isNative = document.createElement("video").canPlayType("application/vnd.apple.mpegurl") !== "";
  const can = { mse: mediaSourceClass() !== undefined, hls: isNative, mp4: true, mjpeg: true };
  const all = ["mse", "hls", "mp4", "mjpeg"].filter((name) => wanted.includes(name) && can[name]);
  // What fails as MSE for lack of a codec fails as HLS too.
  return all[0] === "mse" ? all.filter((name) => name !== "hls") : all;
}
