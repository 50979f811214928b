/**
 * Shows pictures that come one by one, whole, in the poster of a video element: JPEGs, or MP4 files of one keyframe. While
 * one is being decoded only the newest of those that follow is kept.
 */
export class Stills {
  constructor(video, type, onstart) {
    this.video = video;
    this.type = type;
    this.onstart = onstart;
    this.next = undefined;
    this.isBusy = false;
    this.isClosed = false;
    this.shown = 0;
    this.url = "";
  }

  push(data) {
    this.next = data;
    if (!this.isBusy) this.#work();
  }

  async #work() {
    this.isBusy = true;
    while (this.next && !this.isClosed) {
      const url = URL.createObjectURL(new Blob([this.next], { type: this.type }));
      this.next = undefined;
      try {
        if (this.type === "image/jpeg") await this.#showImage(url);
        else await this.#showFrame(url);
        if (this.shown++ === 0) this.onstart();
      } catch {
        // One picture that cannot be decoded: the next one may.
        URL.revokeObjectURL(url);
      }
    }
    this.isBusy = false;
  }

  async #showImage(url) {
    const image = new Image();
    image.src = url;
    await image.decode();
    this.#setPoster(url);
  }

  async #showFrame(url) {
    const clip = document.createElement("video");
    clip.muted = true;
    clip.playsInline = true;
    clip.preload = "auto";
    await new Promise((resolve, reject) => {
      clip.addEventListener("loadeddata", resolve, { once: true });
      clip.addEventListener("error", () => reject(new Error("cannot decode")), { once: true });
      clip.src = url;
    });
    const picture = await pictureOf(clip);
    clip.removeAttribute("src");
    clip.load();
    URL.revokeObjectURL(url);
    if (picture) this.#setPoster(picture);
  }

  #setPoster(url) {
    if (this.isClosed) return URL.revokeObjectURL(url);
    this.video.poster = url;
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = url;
  }

  /** Stops; the last picture stays. */
  close() {
    this.isClosed = true;
    this.next = undefined;
    // What is shown stays: it is read already.
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = "";
  }
}

async function pictureOf(video) {
  const canvas = draw(video);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
  return blob && URL.createObjectURL(blob);
}

function draw(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas;
}

/** Keeps what a video element shows as its poster, so that a new connection does not begin with black. */
export function holdPicture(video) {
  if (video.readyState < 2 || video.videoWidth === 0) return;
  try {
    video.poster = draw(video).toDataURL("image/jpeg", 0.8);
  } catch {
    // A picture of another site may not be read: it goes black for a moment.
  }
}
