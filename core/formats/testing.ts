/** Makes and checks media for tests, with ffmpeg where it is installed. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FrameInput } from "../media/frame.ts";
import { Track } from "../media/track.ts";
import type { DemuxedStream, Demuxer, FrameListener } from "./demuxer.ts";
import { fmp4InitSegment } from "./fmp4/init_segment.ts";
import { fmp4RenditionOf } from "./fmp4/rendition.ts";
import { Fmp4Timeline } from "./fmp4/timeline.ts";

/** Tests that need ffmpeg and ffprobe are ignored without them. */
export const hasFfmpeg: boolean = ["ffmpeg", "ffprobe"].every((name) => spawnSync(name, ["-version"]).status === 0);

/** What ffmpeg writes with these arguments, in a format. */
export function ffmpeg(format: string, ...args: string[]): Uint8Array {
  const dir = mkdtempSync(join(tmpdir(), "lenswire-"));
  try {
    const path = join(dir, "out");
    const run = spawnSync("ffmpeg", ["-hide_banner", "-loglevel", "error", ...args, "-f", format, path]);
    if (run.status !== 0) throw new Error(`Cannot make test media: ${run.stderr}`);
    return new Uint8Array(readFileSync(path));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** A moving picture of 320x240 at 25 frames a second. */
export function testPicture(seconds: number): string[] {
  return ["-f", "lavfi", "-i", `testsrc2=size=320x240:rate=25:duration=${seconds},format=yuv420p`];
}

/** What ffprobe says of a stream of a file, its frames decoded and counted, and what it complains of. */
export function ffprobe(bytes: Uint8Array, selector: string): { fields: Record<string, string>; complaints: string } {
  const dir = mkdtempSync(join(tmpdir(), "lenswire-"));
  try {
    const path = join(dir, "in");
    writeFileSync(path, bytes);
    const args = ["-v", "error", "-select_streams", selector, "-count_frames", "-show_streams", "-of", "json", path];
    const run = spawnSync("ffprobe", args);
    const { streams } = JSON.parse(run.stdout.toString()) as { streams?: Record<string, string>[] };
    return { fields: streams?.[0] ?? {}, complaints: run.stderr.toString() };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** The times of a stream's packets in ticks, as ffprobe reads them. */
export function ffprobeTimes(bytes: Uint8Array, selector: string): { pts: number; dts: number }[] {
  const dir = mkdtempSync(join(tmpdir(), "lenswire-"));
  try {
    const path = join(dir, "in");
    writeFileSync(path, bytes);
    const args = ["-v", "error", "-select_streams", selector, "-show_packets", "-of", "json", path];
    const { packets } = JSON.parse(spawnSync("ffprobe", args).stdout.toString()) as {
      packets: { pts: number; dts: number }[];
    };
    return packets.map(({ pts, dts }) => ({ pts, dts }));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** A frame that a demuxer gave. */
export interface Demuxed {
  readonly stream: DemuxedStream;
  readonly frame: FrameInput;
}

/** All frames of a file, pushed in pieces of a size. */
export function demux(
  make: (onFrame: FrameListener) => Demuxer,
  bytes: Uint8Array,
  pieceBytes = 1000,
): Demuxed[] {
  const found: Demuxed[] = [];
  const demuxer = make((stream, frame) => found.push({ stream, frame }));
  for (let at = 0; at < bytes.length; at += pieceBytes) demuxer.push(bytes.subarray(at, at + pieceBytes), 1000);
  demuxer.flush();
  return found;
}

/** Frames muxed as one viewer gets them, and the same frames as the tracks have them. */
export function muxFmp4(frames: readonly Demuxed[]): { file: Uint8Array; tracks: Track[] } {
  const tracks = new Map<number, Track>();
  const parts: Uint8Array[] = [];
  for (const { stream } of frames) {
    if (!tracks.has(stream.id)) tracks.set(stream.id, new Track(tracks.size, stream.codec!));
  }
  const first = frames[0]!.frame.pts * 1000 / frames[0]!.stream.codec!.clockRate;
  const timeline = new Fmp4Timeline();
  for (const { stream, frame } of frames) {
    const track = tracks.get(stream.id)!;
    track.append({ ...frame, arrivalMs: 5000 + frame.pts * 1000 / track.codec.clockRate - first });
    const part = timeline.bytes(fmp4RenditionOf(track).rendition, track.log.newest!);
    if (part) parts.push(part);
  }
  const all = [fmp4InitSegment([...tracks.values()]), ...parts];
  const file = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    file.set(part, at);
    at += part.length;
  }
  return { file, tracks: [...tracks.values()] };
}
