/**
 * Makes `modules/demo/clip.mp4`, the pictures and sound of the `demo:` source: 8 seconds that join without a seam.
 * The scene is drawn here and piped to ffmpeg, which adds the text and encodes. Run: `deno run -A scripts/demo_clip.ts`.
 */

const WIDTH = 1280;
const HEIGHT = 720;
const FPS = 25;
const SECONDS = 8;
const FRAMES = FPS * SECONDS;
/** 8 s are 375 AAC frames of 1024 samples exactly, so that sound and picture loop together. */
const AUDIO_RATE = 48000;
const AUDIO_FRAMES = AUDIO_RATE * SECONDS / 1024;
const TURN = Math.PI * 2;

type Color = readonly [number, number, number];

const SKY: readonly (readonly [number, Color])[] = [
  [0, [13, 20, 48]],
  [0.3, [44, 44, 98]],
  [0.5, [118, 78, 134]],
  [0.62, [222, 124, 126]],
  [0.72, [255, 190, 140]],
  [1, [255, 214, 170]],
];

/** Hills from far to near: they move by one period in the time of the clip. */
const HILLS = [
  { base: 0.66, height: 46, period: 320, color: [150, 92, 130] as Color, seed: 0.4 },
  { base: 0.73, height: 62, period: 640, color: [92, 62, 110] as Color, seed: 2.1 },
  { base: 0.83, height: 70, period: 1280, color: [44, 38, 82] as Color, seed: 4.2 },
  { base: 0.95, height: 52, period: 1600, color: [18, 20, 48] as Color, seed: 5.5 },
];

const SUN = { x: 0.7 * WIDTH, y: 0.575 * HEIGHT, radius: 58 };
const RING = { x: 118, y: 118, radius: 58 };

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}

function smooth(from: number, to: number, value: number): number {
  const share = Math.min(1, Math.max(0, (value - from) / (to - from)));
  return share * share * (3 - 2 * share);
}

function skyAt(y: number): Color {
  const at = y / HEIGHT;
  const above = SKY.findLastIndex(([stop]) => stop <= at);
  const [from, a] = SKY[Math.max(0, above)]!;
  const [to, b] = SKY[Math.min(SKY.length - 1, above + 1)]!;
  const share = to > from ? smooth(from, to, at) : 0;
  return [mix(a[0], b[0], share), mix(a[1], b[1], share), mix(a[2], b[2], share)];
}

function ridge(hill: typeof HILLS[number], x: number, phase: number): number {
  const u = x / hill.period + phase;
  const wave = Math.sin(TURN * u + hill.seed) * 0.55 + Math.sin(TURN * 2 * u + hill.seed * 2.3) * 0.28 +
    Math.sin(TURN * 3 * u + hill.seed * 3.7) * 0.17 + Math.sin(TURN * 7 * u + hill.seed) * 0.04;
  return hill.base * HEIGHT - wave * hill.height;
}

interface Star {
  readonly x: number;
  readonly y: number;
  readonly light: number;
  readonly pace: number;
  readonly phase: number;
}

// The same stars at each run.
function makeStars(): Star[] {
  let seed = 20240607;
  const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
  return Array.from({ length: 90 }, () => ({
    x: 2 + Math.floor(random() * (WIDTH - 4)),
    y: 2 + Math.floor(random() ** 1.6 * HEIGHT * 0.42),
    light: 60 + random() * 150,
    pace: 1 + Math.floor(random() * 4),
    phase: random() * TURN,
  }));
}

function paint(pixels: Uint8Array, x: number, y: number, color: Color, share: number): void {
  if (x < 0 || y < 0 || x >= WIDTH || y >= HEIGHT) return;
  const at = (y * WIDTH + x) * 3;
  for (let i = 0; i < 3; i++) pixels[at + i] = mix(pixels[at + i]!, color[i]!, share);
}

function drawSky(pixels: Uint8Array, phase: number): void {
  const glowSize = 1 + 0.05 * Math.sin(TURN * phase);
  for (let y = 0; y < HEIGHT; y++) {
    const [r, g, b] = skyAt(y);
    const bank = smooth(0.3, 0.52, y / HEIGHT) * (1 - smooth(0.6, 0.7, y / HEIGHT));
    for (let x = 0; x < WIDTH; x++) {
      const distance = Math.hypot(x - SUN.x, y - SUN.y);
      const glow = Math.exp(-distance / (190 * glowSize)) * 0.75;
      const disc = 1 - smooth(SUN.radius - 1.5, SUN.radius + 1.5, distance);
      const drift = x / 640 + phase;
      const cloud = bank * 0.3 * smooth(
        0.25,
        1,
        Math.sin(TURN * drift + y / 17) * 0.6 + Math.sin(TURN * 2 * drift - y / 9 + 1.3) * 0.35 + Math.sin(y / 6) * 0.2,
      );
      // An ordered pattern of half a step hides the bands of the gradient and costs nothing between pictures.
      const dither = ((x * 5 + y * 3) % 8) / 8 - 0.5;
      const at = (y * WIDTH + x) * 3;
      pixels[at] = Math.min(255, mix(mix(r + glow * 120, 255, disc), 255, cloud) + dither);
      pixels[at + 1] = Math.min(255, mix(mix(g + glow * 84, 240, disc), 196, cloud) + dither);
      pixels[at + 2] = Math.min(255, mix(mix(b + glow * 40, 206, disc), 186, cloud) + dither);
    }
  }
}

function drawStars(pixels: Uint8Array, stars: readonly Star[], phase: number): void {
  for (const { x, y, light, pace, phase: own } of stars) {
    const share = light / 255 * (0.65 + 0.35 * Math.sin(TURN * phase * pace + own));
    paint(pixels, x, y, [255, 250, 240], share);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      paint(pixels, x + dx!, y + dy!, [255, 250, 240], share * 0.3);
    }
  }
}

function drawHills(pixels: Uint8Array, phase: number): void {
  for (const [depth, hill] of HILLS.entries()) {
    for (let x = 0; x < WIDTH; x++) {
      const top = ridge(hill, x, phase);
      const first = Math.floor(top);
      for (let y = Math.max(0, first); y < HEIGHT; y++) {
        const edge = y === first ? 1 - (top - first) : 1;
        const haze = 0.34 * Math.exp(-(y - top) / 46) * (1 - depth / 4);
        paint(pixels, x, y, [
          mix(hill.color[0], 255, haze),
          mix(hill.color[1], 190, haze),
          mix(hill.color[2], 160, haze),
        ], edge);
      }
    }
  }
}

function drawRing(pixels: Uint8Array, phase: number): void {
  const { x: cx, y: cy, radius } = RING;
  for (let y = cy - radius - 8; y <= cy + radius + 8; y++) {
    for (let x = cx - radius - 8; x <= cx + radius + 8; x++) {
      const distance = Math.hypot(x - cx, y - cy);
      const turn = (Math.atan2(x - cx, cy - y) / TURN + 1) % 1;
      const band = 1 - smooth(1.6, 3, Math.abs(distance - radius));
      const isSwept = turn <= phase;
      paint(pixels, x, y, [255, 255, 255], band * (isSwept ? 0.95 : 0.22));
      const tick = Math.abs(turn * SECONDS - Math.round(turn * SECONDS)) * TURN * radius / SECONDS;
      const isTick = distance > radius - 15 && distance < radius - 8;
      if (isTick) paint(pixels, x, y, [255, 255, 255], 0.6 * (1 - smooth(0.8, 2, tick)));
    }
  }
  const hx = cx + Math.sin(TURN * phase) * radius;
  const hy = cy - Math.cos(TURN * phase) * radius;
  for (let y = Math.floor(hy) - 10; y <= hy + 10; y++) {
    for (let x = Math.floor(hx) - 10; x <= hx + 10; x++) {
      paint(pixels, x, y, [255, 196, 120], 1 - smooth(6, 8, Math.hypot(x - hx, y - hy)));
    }
  }
}

async function run(args: string[], input?: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>) {
  const child = new Deno.Command("ffmpeg", {
    args: ["-hide_banner", "-loglevel", "error", "-y", ...args],
    stdin: input ? "piped" : "null",
  }).spawn();
  if (input) {
    const writer = child.stdin.getWriter();
    await input((bytes) => writer.write(bytes));
    await writer.close();
  }
  const { code } = await child.status;
  if (code !== 0) throw new Error(`Cannot make the clip: ffmpeg ended with code ${code}`);
}

async function makeVideo(path: string): Promise<void> {
  const text = (content: string, size: number, place: string, alpha: number, face = "") =>
    `drawtext=font='DejaVu Sans${face}':text='${content}':fontsize=${size}:${place}:fontcolor=white@${alpha}`;
  const filters = [
    text("Lenswire", 62, "x=60:y=h-142", 0.96),
    text("Demo stream – moving pictures, no camera needed", 23, "x=63:y=h-64", 0.8),
    text("%{eif\\:mod(t\\,8)+1\\:d}", 42, `x=${RING.x}-text_w/2:y=${RING.y}-text_h/2`, 0.95),
    text("%{pts\\:hms}", 21, "x=w-text_w-60:y=h-62", 0.72, " Mono"),
  ].join(",");
  const raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", `${WIDTH}x${HEIGHT}`, "-r", `${FPS}`, "-i", "-"];
  const encode = [
    "-pix_fmt",
    "yuv420p",
    "-c:v",
    "libx264",
    "-preset",
    "veryslow",
    "-profile:v",
    "main",
    "-bf",
    "0",
    "-refs",
    "2",
  ];
  const rate = [
    "-level",
    "3.1",
    "-crf",
    "24",
    "-maxrate",
    "1000k",
    "-bufsize",
    "1000k",
    "-g",
    `${2 * FPS}`,
    "-sc_threshold",
    "0",
  ];
  const colors = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"];
  const scale = "scale=out_color_matrix=bt709:out_range=tv";
  const stars = makeStars();
  const pixels = new Uint8Array(WIDTH * HEIGHT * 3);
  await run(
    [...raw, "-vf", `${filters},${scale}`, ...encode, ...rate, ...colors, "-f", "h264", path],
    async (write) => {
      for (let frame = 0; frame < FRAMES; frame++) {
        const phase = frame / FRAMES;
        drawSky(pixels, phase);
        drawStars(pixels, stars, phase);
        drawHills(pixels, phase);
        drawRing(pixels, phase);
        await write(pixels.slice());
      }
    },
  );
}

/** A quiet chord that breathes, and a bell at each half turn. Each frequency fits the clip a whole number of times. */
function soundExpression(isRight: boolean): string {
  const chord = [130.875, 196, 261.625, 329.625].map((frequency, i) => {
    const detuned = frequency + (isRight ? 0.125 : 0);
    return `0.016*sin(2*PI*${detuned}*t)*(1+0.5*sin(2*PI*t/8+${i}))`;
  });
  const bell = (at: number, frequency: number, level: number) =>
    [1, 2.005, 3.01].map((partial, i) =>
      `${level / (i + 1) ** 2}*exp(-mod(t+${SECONDS - at},${SECONDS})*${2.4 * (i + 1)})` +
      `*sin(2*PI*${frequency * partial}*mod(t+${SECONDS - at},${SECONDS}))`
    );
  return [...chord, ...bell(0, 1046.5, 0.06), ...bell(4, 784, 0.04)].join("+");
}

/** The frames of the middle one of three turns: the encoder's start is not in it, and its end joins its beginning. */
async function makeAudio(path: string): Promise<void> {
  const source = `aevalsrc='${soundExpression(false)}|${soundExpression(true)}':s=${AUDIO_RATE}:d=${3 * SECONDS}`;
  await run(["-f", "lavfi", "-i", source, "-c:a", "aac", "-b:a", "72k", "-f", "adts", path]);
  const bytes = await Deno.readFile(path);
  const starts: number[] = [];
  for (let at = 0; at + 7 <= bytes.length;) {
    starts.push(at);
    at += (bytes[at + 3]! & 3) << 11 | bytes[at + 4]! << 3 | bytes[at + 5]! >> 5;
  }
  // One frame of encoder delay comes first.
  await Deno.writeFile(path, bytes.subarray(starts[AUDIO_FRAMES + 1], starts[2 * AUDIO_FRAMES + 1]));
}

if (import.meta.main) {
  const folder = await Deno.makeTempDir();
  try {
    const [video, audio] = [`${folder}/video.h264`, `${folder}/audio.aac`];
    await Promise.all([makeVideo(video), makeAudio(audio)]);
    const output = new URL("../modules/demo/clip.mp4", import.meta.url).pathname;
    await run([
      ...["-r", `${FPS}`, "-i", video, "-i", audio, "-c", "copy", "-bsf:a", "aac_adtstoasc"],
      ...[
        "-video_track_timescale",
        "90000",
        "-movflags",
        "frag_keyframe+delay_moov+default_base_moof",
        "-map_metadata",
        "-1",
        "-fflags",
        "+bitexact",
      ],
      output,
    ]);
    console.log(`${output}: ${(await Deno.stat(output)).size} bytes`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
