import { makeAudioSpecificConfig, parseAudioSpecificConfig } from "../../codecs/aac.ts";
import { av1Config } from "../../codecs/av1.ts";
import { avcConfig, H264Nal, h264NalType, parseH264Sps } from "../../codecs/h264.ts";
import { H265Nal, h265NalType, hevcConfig, parseH265Sps } from "../../codecs/h265.ts";
import { dfLa } from "../../codecs/flac.ts";
import { opusHead } from "../../codecs/opus.ts";
import type { Codec } from "../../media/codec.ts";
import { box, type BoxPart, descriptor, fullBox, u16, u32 } from "./boxes.ts";
import { streamInfoOf } from "./flac.ts";
import { canMuxFmp4, cannotMux } from "./mime.ts";

/** Stand in for sets that are not known yet: 1920x1080, High 4.1 and Main 4.1. */
const DUMMY_H264 = [hexBytes("67640029acb403c0113f2a"), hexBytes("68ee3c80")];
const DUMMY_H265 = [
  hexBytes("40010c01ffff01600000030090000003000003007bba0240"),
  hexBytes("42010101600000030090000003000003007ba003c08010e596ea4932bc05a002"),
  hexBytes("4401c172b46240"),
];

function hexBytes(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g)!, (byte) => parseInt(byte, 16));
}

/** Picture size by the parameter sets; 1920x1080 when they do not tell. */
export function pictureSize(codec: Codec): { width: number; height: number } {
  if (codec.width && codec.height) return { width: codec.width, height: codec.height };
  try {
    if (codec.name === "H264") {
      const sps = codec.parameterSets.find((set) => h264NalType(set) === H264Nal.SPS);
      if (sps) return parseH264Sps(sps);
    } else if (codec.name === "H265") {
      const sps = codec.parameterSets.find((set) => h265NalType(set) === H265Nal.SPS);
      if (sps) return parseH265Sps(sps);
    }
  } catch {
    // Players take the size from the stream itself.
  }
  return { width: 1920, height: 1080 };
}

/** The sample entry of a track (`avc1`, `mp4a`…). Throws a `TypeError` for a codec that cannot be muxed. */
export function sampleEntry(codec: Codec, scale: readonly [number, number]): Uint8Array {
  if (!canMuxFmp4(codec)) throw cannotMux(codec);
  switch (codec.name) {
    case "H264":
      return visual("avc1", codec, scale, box("avcC", avcRecord(codec)));
    case "H265":
      return visual("hvc1", codec, scale, box("hvcC", hevcRecord(codec)));
    case "AV1":
      return visual("av01", codec, scale, box("av1C", av1Record(codec)));
    case "VP8":
      return visual("vp08", codec, scale, vpConfig());
    case "VP9":
      return visual("vp09", codec, scale, vpConfig());
    case "MPEG4-GENERIC":
      return audio("mp4a", codec, esds(0x40, descriptor(5, aacConfig(codec))));
    case "MPA":
      // RTP counts MPEG audio at 90 kHz; decoders read the rate from each frame.
      return audio("mp4a", codec.clockRate === 90000 ? { ...codec, clockRate: 44100 } : codec, esds(0x6b, []));
    case "OPUS":
      return audio("Opus", codec, box("dOps", opusHead(codec.channels || 2)));
    default:
      return audio("fLaC", codec, box("dfLa", dfLa(streamInfoOf(codec))));
  }
}

function avcRecord({ parameterSets }: Codec): Uint8Array {
  const has = (type: number) => parameterSets.some((set) => h264NalType(set) === type);
  try {
    if (has(H264Nal.SPS) && has(H264Nal.PPS)) return avcConfig(parameterSets);
  } catch {
    // No decoder could use them either.
  }
  return avcConfig(DUMMY_H264);
}

function hevcRecord({ parameterSets }: Codec): Uint8Array {
  const has = (type: number) => parameterSets.some((set) => h265NalType(set) === type);
  try {
    if (has(H265Nal.VPS) && has(H265Nal.SPS) && has(H265Nal.PPS)) return hevcConfig(parameterSets);
  } catch {
    // No decoder could use them either.
  }
  return hevcConfig(DUMMY_H265);
}

function av1Record({ parameterSets: [header] }: Codec): Uint8Array {
  try {
    if (header) return av1Config(header);
  } catch {
    // No decoder could use it either.
  }
  // Main profile, level 4.0, 8 bits, 4:2:0.
  return Uint8Array.of(0x81, 0x08, 0x0c, 0);
}

// Profile 0, level 4.1, 8 bits, 4:2:0, colours not specified (VP Codec ISO Media File Format Binding §2.2).
function vpConfig(): Uint8Array {
  return fullBox("vpcC", 1, 0, [0, 41, 0x82, 2, 2, 2, 0, 0]);
}

function aacConfig(codec: Codec): Uint8Array {
  return codec.parameterSets[0] ??
    makeAudioSpecificConfig({ objectType: 2, sampleRate: codec.clockRate || 44100, channels: codec.channels || 1 });
}

function visual(type: string, codec: Codec, scale: readonly [number, number], config: Uint8Array): Uint8Array {
  const { width, height } = pictureSize(codec);
  return box(
    type,
    [0, 0, 0, 0, 0, 0, 0, 1],
    new Uint8Array(16),
    u16(width),
    u16(height),
    u32(0x480000),
    u32(0x480000),
    u32(0),
    u16(1),
    new Uint8Array(32),
    u16(24),
    u16(0xffff),
    config,
    box("pasp", u32(scale[0]), u32(scale[1])),
  );
}

function audio(type: string, codec: Codec, config: Uint8Array): Uint8Array {
  let rate = codec.clockRate;
  // The field has 16 bits; half of a higher rate stands for it (FLAC in ISO BMFF §3.3.1).
  while (rate > 0xffff) rate /= 2;
  return box(
    type,
    [0, 0, 0, 0, 0, 0, 0, 1],
    new Uint8Array(8),
    u16(channelsOf(codec)),
    u16(16),
    u32(0),
    u16(rate),
    u16(0),
    config,
  );
}

function channelsOf(codec: Codec): number {
  if (codec.channels) return codec.channels;
  if (codec.name === "MPEG4-GENERIC" && codec.parameterSets[0]) {
    try {
      return parseAudioSpecificConfig(codec.parameterSets[0]).channels || 1;
    } catch {
      return 1;
    }
  }
  return codec.name === "OPUS" ? 2 : 1;
}

// ISO/IEC 14496-14 §5.6.
function esds(objectType: number, specific: BoxPart): Uint8Array {
  const config = descriptor(4, [objectType, 0x15, 0, 0, 0], u32(0), u32(0), specific);
  return fullBox("esds", 0, 0, descriptor(3, [0, 1, 0], config, descriptor(6, [2])));
}
