import { Dialog, type Target } from "./dialog.ts";
import { nowUs } from "./mark.ts";
import { type Picture, picturesOf, PPS, type Shape, SPS } from "./picture.ts";

/** How a camera is made. */
export interface CameraOptions extends Shape {
  /** Writes each packet by itself, as most cameras do; otherwise a picture is one write. */
  readonly isPerPacket: boolean;
}

const CLOCK_RATE = 90_000;

function describe(): string {
  return [
    "v=0",
    "o=- 0 0 IN IP4 127.0.0.1",
    "s=-",
    "c=IN IP4 0.0.0.0",
    "t=0 0",
    "m=video 0 RTP/AVP 96",
    "a=rtpmap:96 H264/90000",
    `a=fmtp:96 packetization-mode=1;profile-level-id=${SPS.subarray(1, 4).toHex()};` +
    `sprop-parameter-sets=${SPS.toBase64()},${PPS.toBase64()}`,
    "a=control:trackID=0",
    "",
  ].join("\r\n");
}

/** A synthetic camera that pushes itself to a stream with ANNOUNCE and RECORD. */
export class Camera {
  readonly #dialog: Dialog;
  readonly #options: CameraOptions;
  readonly #key: Picture;
  readonly #delta: Picture;
  readonly #ssrc = crypto.getRandomValues(new Uint32Array(1))[0]!;
  readonly #onEnd: (error: Error) => void;
  #sequence = crypto.getRandomValues(new Uint16Array(1))[0]!;
  #timestamp = crypto.getRandomValues(new Uint32Array(1))[0]!;
  #count = 0;
  #isWriting = false;
  #due = 0;
  #hasEnded = false;

  private constructor(dialog: Dialog, options: CameraOptions, onEnd: (error: Error) => void) {
    this.#dialog = dialog;
    this.#options = options;
    this.#onEnd = onEnd;
    const { key, delta } = picturesOf(options);
    this.#key = key;
    this.#delta = delta;
  }

  /** Connects and announces itself; `onEnd` is called when the server breaks off. */
  static async open(target: Target, options: CameraOptions, onEnd: (error: Error) => void): Promise<Camera> {
    const dialog = await Dialog.open(target);
    try {
      await dialog.ask("ANNOUNCE", "", ["Content-Type: application/sdp"], describe());
      await dialog.ask("SETUP", "/trackID=0", ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record"]);
      await dialog.ask("RECORD", "", ["Range: npt=0-"]);
    } catch (error) {
      dialog.close();
      throw error;
    }
    const camera = new Camera(dialog, options, onEnd);
    camera.#drain();
    return camera;
  }

  // The server's reports.
  #drain(): void {
    const buffer = new Uint8Array(4096);
    const read = async () => {
      while (await this.#dialog.conn.read(buffer));
      throw new Error("The server closed the connection of a camera");
    };
    read().catch((error) => this.#end(error));
  }

  /** The next picture is due: it goes out at once, or behind the one that is still being written. */
  send(): void {
    this.#due++;
    if (!this.#isWriting && !this.#hasEnded) this.#write().catch((error) => this.#end(error));
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#due > 0 && !this.#hasEnded) {
      this.#due--;
      const picture = this.#count++ % this.#options.gop === 0 ? this.#key : this.#delta;
      this.#timestamp = (this.#timestamp + CLOCK_RATE / this.#options.fps) >>> 0;
      this.#sequence = picture.stamp(this.#sequence, this.#timestamp, this.#ssrc, nowUs());
      const { bytes, packets } = picture;
      if (!this.#options.isPerPacket) {
        await this.#writeAll(bytes);
        continue;
      }
      for (let i = 0; i < packets.length; i++) await this.#writeAll(bytes.subarray(packets[i], packets[i + 1]));
    }
    this.#isWriting = false;
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    while (bytes.length > 0) bytes = bytes.subarray(await this.#dialog.conn.write(bytes));
  }

  #end(error: Error): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#dialog.close();
    this.#onEnd(error);
  }

  /** Breaks off, as a camera that loses its power. */
  close(): void {
    this.#hasEnded = true;
    this.#dialog.close();
  }
}
