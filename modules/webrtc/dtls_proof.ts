/** What proves in a DTLS handshake that the peer is who its description says (RFC 5246 §7.4.3, §7.4.8, §7.4.9). */
import { createHash, createHmac, createVerify, timingSafeEqual, X509Certificate } from "node:crypto";
import type { Fingerprint } from "./sdp.ts";

/** The one kind of certificate that is shown and the other that peers may show, both with SHA-256 (RFC 5246 §7.4.1.4.1). */
const ECDSA_SHA256 = 0x0403;
const RSA_SHA256 = 0x0401;
const VERIFY_BYTES = 12;

/** The first certificate of a Certificate message; `undefined` when there is none. */
export function certificateOf(body: Uint8Array): Uint8Array | undefined {
  if (body.length < 6) return undefined;
  const length = body[3]! << 16 | body[4]! << 8 | body[5]!;
  return length > 0 && body.length >= 6 + length ? body.subarray(6, 6 + length) : undefined;
}

/** Whether a certificate is the one that a description announced (RFC 8122 §5). */
export function hasFingerprint(certificate: Uint8Array, { algorithm, value }: Fingerprint): boolean {
  if (!["sha-256", "sha-384", "sha-512", "sha-1"].includes(algorithm)) return false;
  return fingerprintValue(certificate, algorithm) === value.toUpperCase();
}

/** The hash of a certificate as descriptions write it. */
export function fingerprintValue(certificate: Uint8Array, algorithm: string): string {
  const digest = createHash(algorithm.replace("-", "")).update(certificate).digest();
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(":").toUpperCase();
}

/** Whether the holder of a certificate's key signed the parts: `signed` is algorithm, length, signature. Never throws. */
export function isSignedBy(certificate: Uint8Array, parts: readonly Uint8Array[], signed: Uint8Array): boolean {
  if (signed.length < 4) return false;
  const algorithm = signed[0]! << 8 | signed[1]!;
  const length = signed[2]! << 8 | signed[3]!;
  if (signed.length !== 4 + length) return false;
  try {
    const key = new X509Certificate(certificate).publicKey;
    const wanted = key.asymmetricKeyType === "ec" ? ECDSA_SHA256 : key.asymmetricKeyType === "rsa" ? RSA_SHA256 : -1;
    if (algorithm !== wanted) return false;
    const check = createVerify("sha256");
    for (const part of parts) check.update(part);
    return check.verify(key, signed.subarray(4));
  } catch {
    // A certificate or signature that cannot be read proves nothing.
    return false;
  }
}

/** Whether the body of a Finished message is the one that the secret and all messages before it make. */
export function isFinishedOf(
  side: "client" | "server",
  body: Uint8Array,
  secret: Uint8Array,
  transcript: Uint8Array,
): boolean {
  if (body.length !== VERIFY_BYTES) return false;
  const seed = createHash("sha256").update(transcript).digest();
  return timingSafeEqual(body, pseudoRandom(secret, `${side} finished`, seed).subarray(0, VERIFY_BYTES));
}

/** The first 32 bytes of the pseudo-random function (RFC 5246 §5). */
function pseudoRandom(secret: Uint8Array, label: string, seed: Uint8Array): Uint8Array {
  const first = createHmac("sha256", secret).update(label).update(seed).digest();
  return createHmac("sha256", secret).update(first).update(label).update(seed).digest();
}
