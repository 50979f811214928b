/** What a page may ask the browser for, by the words of `media`. */
const NAMES = { microphone: "microphone", camera: "camera", display: "screen", speaker: "sound of the screen" };

/** The words of a `media` text: `video,audio` or `camera+microphone`. */
export function mediaWords(media) {
  return new Set(media.split(/[\s,+]+/).filter(Boolean));
}

/** Why the browser does not give a device to this page, for people. */
export function whyNoDevice(word, error) {
  const name = NAMES[word] ?? word;
  if (!globalThis.isSecureContext) {
    return `No ${name}: this page came over plain HTTP, and browsers give devices to pages over HTTPS only. ` +
      "Open it with https://, or on the server itself with http://localhost";
  }
  switch (error?.name) {
    case "NotAllowedError":
      return globalThis.top === globalThis.self
        ? `No ${name}: the browser does not allow it to this page. Allow it in the settings beside the address`
        : `No ${name}: the page around this one has to allow it, with allow="${word}" at its frame`;
    case "NotFoundError":
    case "OverconstrainedError":
      return `No ${name}: this device has none`;
    case "NotReadableError":
      return `No ${name}: another program uses it`;
    default:
      return `No ${name}: ${error?.message ?? "the browser knows none"}`;
  }
}

/** Asks the viewer for the devices among the words; answers their tracks, and for what is missing why. */
export async function openDevices(words) {
  const found = { tracks: [], problems: [] };
  const own = ["camera", "microphone"].filter((word) => words.has(word));
  const shared = ["display", "speaker"].filter((word) => words.has(word));
  // One question for both; when one of them is missing, each by itself.
  const isDone = own.length === 0 || await open(own, found, own.length === 1);
  if (!isDone) { for (const word of own) await open([word], found); }
  if (shared.length > 0) await open(shared, found);
  return found;
}

async function open(words, found, isFinal = true) {
  const has = (word) => words.includes(word);
  try {
    const { mediaDevices } = navigator;
    if (!mediaDevices) throw new TypeError("the browser gives no devices to this page");
    const stream = has("display") || has("speaker")
      ? await mediaDevices.getDisplayMedia({ video: true, audio: has("speaker") })
      : await mediaDevices.getUserMedia({
        video: has("camera") && { width: { ideal: 1280 }, height: { ideal: 720 } },
        audio: has("microphone"),
      });
    for (const track of stream.getTracks()) {
      // Text on a screen has to stay sharp.
      if (has("display") && track.kind === "video") track.contentHint = "detail";
      // Browsers share sound of a screen only together with its picture.
      if (track.kind === "video" && !has("camera") && !has("display")) track.stop();
      else found.tracks.push(track);
    }
    return true;
  } catch (error) {
    if (!isFinal && error.name === "NotFoundError") return false;
    found.problems.push(whyNoDevice(words[0], error));
    return true;
  }
}
