/** VLC, and what it shows. */
import { run, start } from "../support/programs.ts";

/** The pictures that VLC shows, as it shows them, in a YUV4MPEG2 stream. */
export interface VlcOutput extends AsyncDisposable {
  readonly pictures: ReadableStream<Uint8Array>;
  /** What it complained of. */
  errors(): string;
}

/** After this time it is stopped, so that whoever waits for its pictures goes on. */
const LIMIT_MS = 15_000;

/** Has VLC play an address. */
export async function vlcPlays(url: string, ...options: readonly string[]): Promise<VlcOutput> {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o777);
  const pipe = `${folder}/pictures`;
  await run("mkfifo", ["-m", "666", pipe]);
  // VLC opens its output more than once: a writer that stays keeps the pipe from ending in between.
  const reader = start("sh", ["-c", 'exec 3<>"$1" && exec cat "$1"', "sh", pipe]);
  const output = ["--vout", "yuv", "--yuv-file", pipe, "--aout", "dummy", "--network-caching", "200"];
  const vlc = start("cvlc", ["-q", ...output, ...options, url], { asNobody: true, env: { HOME: folder } });
  const limit = setTimeout(() => reader.kill(), LIMIT_MS);
  vlc.status.then(() => reader.kill());
  return {
    pictures: reader.stdout,
    errors: vlc.errors,
    async [Symbol.asyncDispose]() {
      clearTimeout(limit);
      await vlc[Symbol.asyncDispose]();
      await reader[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
