/** A clock burnt into the picture: black and white blocks that count the milliseconds of the wall clock in binary. */

/** It begins anew after 2^20 ms, about 17 minutes. */
const BITS = 20;
/** The bits, then a block that is always white and one that is always black. */
const BLOCKS = BITS + 2;
const PERIOD = 2 ** BITS;
export const CLOCK_SIZE = { width: BLOCKS * 16, height: 288, rate: 25 } as const;

/** ffmpeg's input that shows the time at which each picture was made. */
export const CLOCK_INPUT: readonly string[] = (() => {
  const bit = `mod(floor(mod(T*1000,${PERIOD})/pow(2,X)),2)`;
  const filters = [
    `color=black:size=${BLOCKS}x2:rate=${CLOCK_SIZE.rate}`,
    "format=yuv420p",
    "setpts=RTCTIME/(TB*1000000)",
    `geq=lum='if(lt(X,${BITS}),235*${bit},235*eq(X,${BITS}))':cb=128:cr=128`,
    `setpts=N/(${CLOCK_SIZE.rate}*TB)`,
    `scale=${CLOCK_SIZE.width}:${CLOCK_SIZE.height}:flags=neighbor`,
  ];
  return ["-re", "-f", "lavfi", "-i", filters.join(",")];
})();

/** How old a picture is, in ms, by the brightness of its blocks; `undefined` when it shows no clock. */
export function ageOf(blocks: ArrayLike<number>, nowMs = Date.now()): number | undefined {
  if (blocks.length !== BLOCKS || blocks[BITS]! < 128 || blocks[BITS + 1]! > 127) return undefined;
  let shown = 0;
  for (let i = 0; i < BITS; i++) if (blocks[i]! > 127) shown += 2 ** i;
  const age = (nowMs - shown) % PERIOD;
  // The clock was read a moment after `nowMs` was: that is no age of 17 minutes.
  return age > PERIOD - 1000 ? age - PERIOD : age;
}

/** A picture that was shown, and how old it was then. */
export interface Shown {
  readonly atMs: number;
  readonly ageMs: number;
}

/** What to put behind ffmpeg's input for the blocks of each picture, and nothing else, on its standard output. */
export const CLOCK_OUTPUT: readonly string[] = [
  ...["-map", "0:v", "-vf", `scale=${BLOCKS}:1:flags=area`, "-pix_fmt", "gray", "-fps_mode", "passthrough"],
  ...["-flush_packets", "1", "-f", "rawvideo", "-"],
];

/** Cuts a stream of bytes into pictures of a size, each with the time at which it was complete. */
async function* pictures(from: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let held = new Uint8Array(size);
  let have = 0;
  for await (const chunk of from) {
    for (let at = 0; at < chunk.length;) {
      const count = Math.min(size - have, chunk.length - at);
      held.set(chunk.subarray(at, at + count), have);
      have += count;
      at += count;
      if (have < size) continue;
      yield held;
      held = new Uint8Array(size);
      have = 0;
    }
  }
}

/** The clocks that ffmpeg prints with {@linkcode CLOCK_OUTPUT}. */
export async function* clocksOf(stdout: ReadableStream<Uint8Array>): AsyncGenerator<Shown> {
  for await (const blocks of pictures(stdout, BLOCKS)) yield* shownOf(blocks);
}

const NEWLINE = 0x0a;

async function* withoutFirstLine(from: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isBehind = false;
  for await (const chunk of from) {
    const at: number = isBehind ? 0 : chunk.indexOf(NEWLINE) + 1;
    isBehind ||= at > 0;
    if (isBehind) yield chunk.subarray(at);
  }
}

/** The clocks in a YUV4MPEG2 stream, as VLC's output `yuv` writes it. */
export async function* clocksOfYuv(yuv: ReadableStream<Uint8Array>): AsyncGenerator<Shown> {
  const { width, height } = CLOCK_SIZE;
  const head = "FRAME\n".length;
  const row = head + (height / 2) * width;
  for await (const picture of pictures(withoutFirstLine(yuv), head + width * height * 3 / 2)) {
    yield* shownOf(Array.from({ length: BLOCKS }, (_, i) => picture[row + i * 16 + 8]!));
  }
}

function* shownOf(blocks: ArrayLike<number>): Generator<Shown> {
  const ageMs = ageOf(blocks);
  if (ageMs !== undefined) yield { atMs: performance.now(), ageMs };
}

/** Takes clocks until `isEnough` says so, or until they end. */
export async function takeClocks(
  clocks: AsyncIterable<Shown>,
  isEnough: (shown: readonly Shown[]) => boolean,
): Promise<Shown[]> {
  const all: Shown[] = [];
  for await (const shown of clocks) {
    all.push(shown);
    if (isEnough(all)) break;
  }
  return all;
}
