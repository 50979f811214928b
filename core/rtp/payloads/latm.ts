import { type LatmConfig, parseLatm, parseStreamMuxConfig } from "../../codecs/latm.ts";
import { fmtpValue, fromHex } from "../../codecs/text.ts";
import type { Codec } from "../../media/codec.ts";
import { rtpPayload } from "../packet.ts";
import { aacTicks, stripAdts } from "./aac.ts";
import { concat, type Depacketizer, Look, type PayloadFormat, type RtpPart } from "./format.ts";

/**
 * AAC in LATM (RFC 6416 §6), with its configuration in the format parameters or in band. What is read becomes generic
 * AAC, which is what players are sent; written without the configuration.
 */
export const latmPayload: PayloadFormat = {
  isPassedOn: false,
  depacketizer: (codec) => new LatmDepacketizer(codec),
  packetize: (units, codec, maxPayload) => units.flatMap((unit) => packetizeUnit(unit, aacTicks(codec), maxPayload)),
  ticks: (_unit, codec) => aacTicks(codec),
};

/** Whether format parameters are those of LATM, whatever the codec is called by then. */
export function isLatmFmtp(fmtp: string): boolean {
  return fmtpValue(fmtp, "cpresent") !== undefined;
}

/** The configuration in the format parameters of LATM; `undefined` when there is none that can be read. */
export function latmConfigOfFmtp(fmtp: string): LatmConfig | undefined {
  const config = fromHex(fmtpValue(fmtp, "config") ?? "");
  if (!config || config.length === 0) return undefined;
  try {
    return parseStreamMuxConfig(config);
  } catch {
    // Broken, or of several layers: the same as none.
    return undefined;
  }
}

function packetizeUnit(unit: Uint8Array, ticks: number, maxPayload: number): RtpPart[] {
  if (unit.length === 0) return [];
  const length = new Uint8Array(Math.floor(unit.length / 255) + 1).fill(255);
  length[length.length - 1] = unit.length % 255;
  const element = concat([length, unit]);
  const parts: RtpPart[] = [];
  for (let at = 0; at < element.length; at += maxPayload) {
    const isLast = at + maxPayload >= element.length;
    parts.push({ payload: element.subarray(at, at + maxPayload), marker: isLast, advance: isLast ? ticks : 0 });
  }
  return parts;
}

class LatmDepacketizer implements Depacketizer {
  readonly #isConfigInBand: boolean;
  #config: LatmConfig | undefined;

  constructor(codec: Codec) {
    this.#isConfigInBand = fmtpValue(codec.fmtp, "cpresent") !== "0";
    this.#config = latmConfigOfFmtp(codec.fmtp);
  }

  get parameterSets(): readonly Uint8Array[] | undefined {
    return this.#config && [this.#config.asc];
  }

  look(): number {
    return Look.START | Look.CONTENT | Look.KEY | Look.SPLIT;
  }

  learn(packets: readonly Uint8Array[]): void {
    // The first bit of an element says that the configuration of before holds.
    if (!this.#isConfigInBand || rtpPayload(packets[0]!)[0]! > 127) return;
    const config = parseLatm(join(packets), this.#config, true)?.config;
    if (config) this.#config = { ...config, asc: config.asc.slice() };
  }

  depacketize(packets: readonly Uint8Array[]): Uint8Array[] {
    const element = parseLatm(join(packets), this.#config, this.#isConfigInBand);
    return element ? element.frames.flatMap(stripAdts) : [];
  }
}

function join(packets: readonly Uint8Array[]): Uint8Array {
  return packets.length === 1 ? rtpPayload(packets[0]!) : concat(packets.map(rtpPayload));
}
