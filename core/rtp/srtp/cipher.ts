import type { Accel, PacketCipher, PacketCipherOptions } from "../../runtime/mod.ts";
import { CounterModeIv, GcmIv, type IvWriter } from "./iv.ts";
import type { SrtpKeys } from "./keys.ts";
import { NodeCounterMode } from "./node_counter_mode.ts";
import { NodeGcm } from "./node_gcm.ts";
import { type SrtpProfile, srtpProfiles } from "./profile.ts";

/** Who computes: libcrypto by native calls, or `node:crypto`. */
export type SrtpBackend = "ffi" | "node";

/** What encrypts packets of one kind, and what makes their vectors. */
export interface SrtpTransform {
  readonly cipher: PacketCipher;
  readonly iv: IvWriter;
  readonly tagBytes: number;
}

/** Makes the cipher of a profile and its session keys, native when `accel` can. */
export function srtpTransform(
  profile: SrtpProfile,
  keys: SrtpKeys,
  { isControl, accel }: { isControl: boolean; accel?: Accel | undefined },
): SrtpTransform {
  const { isAead, rtpTagBytes, rtcpTagBytes } = srtpProfiles[profile];
  const tagBytes = isControl ? rtcpTagBytes : rtpTagBytes;
  const { key, authenticationKey, salt } = keys;
  const options: PacketCipherOptions = { key, authenticationKey, tagBytes, isControl };
  const iv = isAead ? new GcmIv(salt, isControl) : new CounterModeIv(salt);
  return { cipher: isAead ? gcm(options, accel) : counterMode(options, accel), iv, tagBytes };
}

function gcm(options: PacketCipherOptions, accel: Accel | undefined): PacketCipher {
  return accel?.crypto ? accel.crypto.gcm(options) : new NodeGcm(options);
}

function counterMode(options: PacketCipherOptions, accel: Accel | undefined): PacketCipher {
  return accel?.crypto ? accel.crypto.counterMode(options) : new NodeCounterMode(options);
}
