import type { Accel } from "../../runtime/mod.ts";

/** How packets are encrypted and authenticated (RFC 3711, RFC 5764 §4.1.2, RFC 7714). */
export type SrtpProfile = "AES_CM_128_HMAC_SHA1_80" | "AES_CM_128_HMAC_SHA1_32" | "AEAD_AES_128_GCM";

/** The sizes of a profile. */
export interface SrtpParameters {
  /** Its number in the `use_srtp` extension of DTLS. */
  readonly dtlsId: number;
  readonly keyBytes: number;
  readonly saltBytes: number;
  /** For HMAC-SHA1; 0 with GCM. */
  readonly authenticationKeyBytes: number;
  /** What a tag adds to an RTP packet. */
  readonly rtpTagBytes: number;
  /** What a tag adds to an RTCP packet, which also gets an index word of 4 bytes. */
  readonly rtcpTagBytes: number;
  readonly isAead: boolean;
}

const counterMode = { keyBytes: 16, saltBytes: 14, authenticationKeyBytes: 20, rtcpTagBytes: 10, isAead: false };

/** All profiles. */
export const srtpProfiles: Readonly<Record<SrtpProfile, SrtpParameters>> = {
  AES_CM_128_HMAC_SHA1_80: { ...counterMode, dtlsId: 1, rtpTagBytes: 10 },
  AES_CM_128_HMAC_SHA1_32: { ...counterMode, dtlsId: 2, rtpTagBytes: 4 },
  AEAD_AES_128_GCM: {
    dtlsId: 7,
    keyBytes: 16,
    saltBytes: 12,
    authenticationKeyBytes: 0,
    rtpTagBytes: 16,
    rtcpTagBytes: 16,
    isAead: true,
  },
};

/**
 * What to agree to in a handshake, best first. Without libcrypto GCM costs several times what counter mode does, so it is
 * then left out.
 */
export function preferredSrtpProfiles(accel?: Accel): readonly SrtpProfile[] {
  return accel?.crypto ? ["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"] : ["AES_CM_128_HMAC_SHA1_80"];
}
