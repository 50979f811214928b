import { createCipheriv } from "node:crypto";
import { type SrtpProfile, srtpProfiles } from "./profile.ts";

/** The keys that packets of one direction and kind are encrypted with. */
export interface SrtpKeys {
  readonly key: Uint8Array;
  /** Empty with GCM. */
  readonly authenticationKey: Uint8Array;
  readonly salt: Uint8Array;
}

// RFC 3711 §4.3.2.
const RTP_LABELS = { key: 0, authenticationKey: 1, salt: 2 };
const RTCP_LABELS = { key: 3, authenticationKey: 4, salt: 5 };

/**
 * Derives the session keys of a master key, with a derivation rate of 0 (RFC 3711 §4.3; GCM's by RFC 7714 §11).
 * Throws `RangeError` when key or salt have another size than the profile's.
 */
export function deriveSrtpKeys(
  profile: SrtpProfile,
  masterKey: Uint8Array,
  masterSalt: Uint8Array,
): { rtp: SrtpKeys; rtcp: SrtpKeys } {
  const { keyBytes, saltBytes, authenticationKeyBytes } = srtpProfiles[profile];
  if (masterKey.length !== keyBytes || masterSalt.length !== saltBytes) {
    throw new RangeError(`${profile} takes a key of ${keyBytes} and a salt of ${saltBytes} bytes`);
  }
  const derive = (label: number, size: number): Uint8Array => {
    const iv = new Uint8Array(16);
    iv.set(masterSalt);
    iv[7]! ^= label;
    const stream = createCipheriv("aes-128-ctr", masterKey, iv).update(new Uint8Array(size));
    return new Uint8Array(stream);
  };
  const keysOf = (labels: typeof RTP_LABELS): SrtpKeys => ({
    key: derive(labels.key, keyBytes),
    authenticationKey: derive(labels.authenticationKey, authenticationKeyBytes),
    salt: derive(labels.salt, saltBytes),
  });
  return { rtp: keysOf(RTP_LABELS), rtcp: keysOf(RTCP_LABELS) };
}
