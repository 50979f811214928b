/**
 * An example of a plugin: copy it, give it, its schemes, metric and route names of their own, change it. It adds
 *
 * - the source `example:`, a test picture that needs no camera: `example:`, `example:#size=320x240#rate=10`
 * - the sink `example-count:`, which counts what it is sent and says so in the log: `publish: {cam: example-count:}`
 *
 * A plugin is one file in `plugins/` (beside the program or beside the config file), or a folder with a `mod.ts`. It is
 * plain TypeScript. It imports types only, so it needs nothing at run time: what it uses arrives in `ctx`, and `ctx.core`
 * is everything that the built-in modules use too. All that `ctx` registers is undone when the plugin is unloaded; with
 * `--dev` it is loaded anew whenever the file is saved.
 */
import type {
  Attachment,
  Codec,
  Consumer,
  Media,
  PluginContext,
  PluginDefinition,
  Producer,
  SourceUrl,
} from "../core/mod.ts";

type Core = PluginContext["core"];

/** What the config section `example` may say. It is checked before `setup` is called; mistakes are shown with their line. */
interface ExampleConfig {
  /** Pictures a second, where the source does not say. */
  readonly rate: number;
}

const plugin: PluginDefinition<ExampleConfig> = {
  name: "example",
  api: 1,
  config: (z) => z.object({ rate: z.number().min(1).max(30).default(5) }),
  setup(ctx) {
    ctx.source("example", {
      // Connecting fails with an error that says what to do; here there is nothing to connect to but the options.
      open: (source) => Promise.resolve(openPicture(ctx.core, source, ctx.config.rate)),
    });

    const frames = ctx.metrics.counter("example_frames_total", "Frames that example-count was sent.");
    ctx.sink("example-count", {
      open: (_sink, io) =>
        Promise.resolve(openCounter(ctx.core, {
          onFrame: () => frames.add(1, { stream: io.stream }),
          onEnd: (count) => io.log.info("counted", { frames: count, stream: io.stream }),
        })),
    });

    ctx.http.get(
      "/api/example",
      { summary: "Says hello", needs: "watch", camera: () => null },
      ({ principal }) => ctx.core.jsonResponse({ hello: principal.name }),
    );
  },
};

export default plugin;

/** A source is a `Producer`: it says what it gives, and feeds tracks until its signal aborts. */
function openPicture(core: Core, source: SourceUrl, defaultRate: number): Producer {
  const { width, height } = sizeOf(core, source.options.get("size") ?? "160x96");
  const rate = Number(source.options.get("rate") ?? defaultRate);
  if (!(rate >= 1 && rate <= 30)) {
    throw new core.StreamError("BAD_SOURCE", "example: the rate is pictures a second, from 1 to 30");
  }
  const picture = new TestPicture(width, height);
  const sets = [picture.sps, picture.pps];
  const codec: Codec = core.codec("H264", { fmtp: core.h264Fmtp(sets), parameterSets: sets, width, height });
  const media: Media = { kind: "video", direction: "recvonly", codecs: [codec] };
  const ticks = codec.clockRate / rate;
  return {
    info: { formatName: "example", url: source.url },
    medias: [media],
    run(io) {
      const track = io.track(media);
      return new Promise((resolve) => {
        let number = 0;
        const timer = setInterval(() => {
          // A frame is given as units (here: NAL units) with its time in ticks of the codec's clock.
          const units = [picture.sps, picture.pps, picture.slice(number)];
          track?.append({ payload: new core.Units(units), pts: number * ticks, isKeyframe: true });
          if (number++ === 0) io.live();
        }, 1000 / rate);
        const stop = () => {
          clearInterval(timer);
          resolve();
        };
        io.signal.addEventListener("abort", stop, { once: true });
        if (io.signal.aborted) stop();
      });
    },
    close() {},
  };
}

function sizeOf(core: Core, text: string): { width: number; height: number } {
  const [width = 0, height = 0] = text.split("x").map(Number);
  const isFine = [width, height].every((side) => side >= 16 && side <= 640 && side % 16 === 0);
  if (!isFine) {
    throw new core.StreamError("BAD_SOURCE", "example: the size is like 160x96, in steps of 16, at most 640x640");
  }
  return { width, height };
}

/** A sink is a `Consumer` with a `run`: it says what it wants, is attached to the stream, and reads the tracks it got. */
function openCounter(
  core: Core,
  tell: { onFrame(): void; onEnd(count: number): void },
): Consumer & { run(signal: AbortSignal, attachment: Attachment): Promise<void> } {
  const controller = new AbortController();
  return {
    info: { formatName: "example-count" },
    medias: [{ kind: "video", direction: "sendonly", codecs: [core.codec("ANY", { kind: "video", clockRate: 0 })] }],
    close: (reason) => controller.abort(new core.StreamError("CLOSED", reason)),
    run(signal, { assignments }) {
      // Reading never waits: the reader wakes us when there is something, and we take all of it.
      let count = 0;
      const reader = new core.Reader(assignments.map(({ track }) => track), { start: "keyframe", dropsCorrupt: false });
      reader.wake = () => {
        for (; reader.next(); count++) tell.onFrame();
      };
      reader.wake();
      return new Promise((resolve) => {
        const end = AbortSignal.any([signal, controller.signal]);
        const stop = () => {
          reader[Symbol.dispose]();
          tell.onEnd(count);
          resolve();
        };
        end.addEventListener("abort", stop, { once: true });
        if (end.aborted) stop();
      });
    },
  };
}

/**
 * Makes H264 without compressing anything: each macroblock carries its samples as they are (I_PCM, ITU-T H.264 §7.3.5). It
 * is large and simple; every decoder shows it.
 */
class TestPicture {
  readonly sps: Uint8Array;
  readonly pps: Uint8Array;
  readonly #columns: number;
  readonly #rows: number;

  constructor(width: number, height: number) {
    this.#columns = width / 16;
    this.#rows = height / 16;
    // Constrained Baseline, level 3.1, §7.3.2.1.1: frame numbers of 4 bits, output in decoding order, one reference frame.
    this.sps = new BitWriter([0x67, 66, 0xc0, 31])
      .ue(0).ue(0).ue(2).ue(1).bits(0, 1).ue(this.#columns - 1).ue(this.#rows - 1)
      .bits(0b1100, 4)
      .end();
    // §7.3.2.2: CAVLC, one slice group, no deblocking control.
    this.pps = new BitWriter([0x68])
      .ue(0).ue(0).bits(0, 2).ue(0).ue(0).ue(0).bits(0, 3).ue(0).ue(0).ue(0).bits(0, 3)
      .end();
  }

  /** One picture: a colour ramp with a white bar that moves by a macroblock each time. */
  slice(number: number): Uint8Array {
    // §7.3.3: an IDR slice of type I; neighbours in time must have different IDR numbers.
    const out = new BitWriter([0x65], this.#columns * this.#rows * 386 + 16);
    out.ue(0).ue(7).ue(0).bits(0, 4).ue(number % 2).bits(0, 2).ue(0);
    for (let row = 0; row < this.#rows; row++) {
      for (let column = 0; column < this.#columns; column++) {
        const isBar = column === number % this.#columns;
        const ramp = (part: number, whole: number) => 32 + Math.floor(part * 190 / whole);
        // mb_type 25 is I_PCM; samples begin at the next whole byte: 256 of luma, 64 of each colour.
        out.ue(25).align();
        out.fill(isBar ? 235 : ramp(row, this.#rows), 256);
        out.fill(isBar ? 128 : ramp(column, this.#columns), 64);
        out.fill(isBar ? 128 : ramp(this.#columns - column, this.#columns + 1), 64);
      }
    }
    // No sample is 0 and so nothing looks like a start code: no byte has to be escaped.
    return out.end();
  }
}

/** Writes bits, most significant first. */
class BitWriter {
  #bytes: Uint8Array;
  #length: number;
  #free = 0;

  constructor(head: readonly number[], size = 64) {
    this.#bytes = new Uint8Array(size);
    this.#bytes.set(head);
    this.#length = head.length;
  }
  bits(value: number, count: number): this {
    for (let i = count - 1; i >= 0; i--) {
      if (this.#free === 0) {
        this.#length++;
        this.#free = 8;
      }
      this.#free--;
      this.#bytes[this.#length - 1]! |= (value >> i & 1) << this.#free;
    }
    return this;
  }
  /** An Exp-Golomb code (§9.1). */
  ue(value: number): this {
    const length = 32 - Math.clz32(value + 1);
    return this.bits(0, length - 1).bits(value + 1, length);
  }
  align(): this {
    this.#free = 0;
    return this;
  }
  fill(value: number, count: number): this {
    this.#bytes.fill(value, this.#length, this.#length + count);
    this.#length += count;
    return this;
  }
  /** The bytes, with the stop bit. */
  end(): Uint8Array {
    this.bits(1, 1);
    return this.#bytes.subarray(0, this.#length);
  }
}
