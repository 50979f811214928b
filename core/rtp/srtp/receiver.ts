import { type Accel, IV_BYTES } from "../../runtime/mod.ts";
import { readU32, rtpPayloadStart, rtpSequence, rtpSsrc } from "../packet.ts";
import { type SrtpBackend, type SrtpTransform, srtpTransform } from "./cipher.ts";
import { IndexWindow } from "./index_window.ts";
import { MAX_RTCP_INDEX, rolloverOf } from "./iv.ts";
import { deriveSrtpKeys } from "./keys.ts";
import { type SrtpProfile, srtpProfiles } from "./profile.ts";

const RTCP_HEADER_BYTES = 8;
const RTCP_INDEX_BYTES = 4;
/** SSRCs that one peer may send with; each has a window that is kept. */
const MAX_SOURCES = 64;

/** What became of received packets, RTP and RTCP together. */
export interface SrtpReceiverStats {
  /** Accepted. */
  packets: number;
  /** Dropped: forged, damaged, or made with other keys. */
  failed: number;
  /** Dropped: received before, or too old to know. */
  replayed: number;
  malformed: number;
  /** Dropped: of one SSRC too many. */
  refused: number;
}

/** Checks and decrypts what one peer sends. Dispose of it: the keys may be in native memory. */
export class SrtpReceiver implements Disposable {
  readonly backend: SrtpBackend;
  readonly #rtp: SrtpTransform;
  readonly #rtcp: SrtpTransform;
  readonly #isAead: boolean;
  readonly #rtpWindows = new Map<number, IndexWindow>();
  readonly #rtcpWindows = new Map<number, IndexWindow>();
  readonly #iv = new Uint8Array(IV_BYTES);
  readonly #stats: SrtpReceiverStats = { packets: 0, failed: 0, replayed: 0, malformed: 0, refused: 0 };
  #isClosed = false;

  /** Throws `RangeError` when the master key or salt have another size than the profile's. */
  constructor(
    profile: SrtpProfile,
    masterKey: Uint8Array,
    masterSalt: Uint8Array,
    { accel }: { accel?: Accel | undefined } = {},
  ) {
    const { rtp, rtcp } = deriveSrtpKeys(profile, masterKey, masterSalt);
    this.#rtp = srtpTransform(profile, rtp, { isControl: false, accel });
    this.#rtcp = srtpTransform(profile, rtcp, { isControl: true, accel });
    this.#isAead = srtpProfiles[profile].isAead;
    this.backend = accel?.crypto ? "ffi" : "node";
  }

  get stats(): Readonly<SrtpReceiverStats> {
    return this.#stats;
  }

  /** Decrypts an SRTP packet in place and answers a view of it; `undefined`: it was dropped and counted. */
  unprotect(packet: Uint8Array): Uint8Array | undefined {
    if (this.#isClosed) return undefined;
    const header = rtpPayloadStart(packet);
    if (header < 0 || packet.length < header + this.#rtp.tagBytes) return this.#drop("malformed");
    const ssrc = rtpSsrc(packet);
    const known = this.#rtpWindows.get(ssrc);
    if (!known && this.#rtpWindows.size >= MAX_SOURCES) return this.#drop("refused");
    const window = known ?? new IndexWindow();
    const index = window.indexOf(rtpSequence(packet));
    if (index < 0 || !window.isFresh(index)) return this.#drop("replayed");
    this.#rtp.iv.write(this.#iv, 0, ssrc, index);
    const end = this.#rtp.cipher.open(packet, header, this.#iv, rolloverOf(index));
    if (end < 0) return this.#drop("failed");
    window.accept(index);
    if (!known) this.#rtpWindows.set(ssrc, window);
    this.#stats.packets++;
    return packet.subarray(0, end);
  }

  /** Decrypts a compound SRTCP packet in place and answers a view of it; `undefined`: it was dropped and counted. */
  unprotectRtcp(packet: Uint8Array): Uint8Array | undefined {
    if (this.#isClosed) return undefined;
    const { tagBytes, iv, cipher } = this.#rtcp;
    if (packet.length < RTCP_HEADER_BYTES + RTCP_INDEX_BYTES + tagBytes || packet[0]! >> 6 !== 2) {
      return this.#drop("malformed");
    }
    const word = readU32(packet, packet.length - RTCP_INDEX_BYTES - (this.#isAead ? 0 : tagBytes));
    // Unencrypted SRTCP is nothing that DTLS-SRTP or HomeKit agree on.
    if (word <= MAX_RTCP_INDEX) return this.#drop("malformed");
    const index = word & MAX_RTCP_INDEX;
    const ssrc = readU32(packet, 4);
    const known = this.#rtcpWindows.get(ssrc);
    if (!known && this.#rtcpWindows.size >= MAX_SOURCES) return this.#drop("refused");
    const window = known ?? new IndexWindow();
    if (!window.isFresh(index)) return this.#drop("replayed");
    iv.write(this.#iv, 0, ssrc, index);
    const end = cipher.open(packet, RTCP_HEADER_BYTES, this.#iv, word);
    if (end < 0) return this.#drop("failed");
    window.accept(index);
    if (!known) this.#rtcpWindows.set(ssrc, window);
    this.#stats.packets++;
    return packet.subarray(0, end);
  }

  #drop(why: "failed" | "replayed" | "malformed" | "refused"): undefined {
    this.#stats[why]++;
    return undefined;
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#rtp.cipher[Symbol.dispose]();
    this.#rtcp.cipher[Symbol.dispose]();
  }
}
