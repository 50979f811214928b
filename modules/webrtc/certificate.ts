import { DtlsSession } from "./dtls.ts";
import type { DtlsIdentity } from "./dtls_engine.ts";
import { fingerprintValue } from "./dtls_proof.ts";
import type { Fingerprint } from "./sdp.ts";

/** Who we are to peers: a self-signed certificate, whose hash our descriptions tell. */
export interface Certificate {
  readonly fingerprint: Fingerprint;
  readonly identity: DtlsIdentity;
}

/** The numbers of ECDSA with SHA-256 over P-256, which every browser takes. */
const ALGORITHM = { hash: 4, signature: 3, curve: 23 } as const;

let made: Promise<Certificate> | undefined;

/** The certificate of this process. Loads what handshakes need and makes one with itself, since the first is slow. */
export function makeCertificate(): Promise<Certificate> {
  made ??= create().catch((error) => {
    made = undefined;
    throw error;
  });
  return made;
}

async function create(): Promise<Certificate> {
  const werift = await import("werift");
  const { hash, signature, curve } = ALGORITHM;
  const pem = await werift.CipherContext.createSelfSignedCertificateWithKey({ hash, signature }, curve);
  const value = fingerprintValue(derOf(pem.certPem), "sha-256");
  const certificate = { fingerprint: { algorithm: "sha-256", value }, identity: { werift, ...pem } };
  await warmUp(certificate);
  return certificate;
}

function derOf(pem: string): Uint8Array {
  return Uint8Array.from(atob(pem.replace(/-----[^-]+-----|\s/g, "")), (char) => char.charCodeAt(0));
}

async function warmUp(certificate: Certificate): Promise<void> {
  const done = Promise.withResolvers<void>();
  const make = (role: "server" | "client", send: (bytes: Uint8Array) => void) =>
    new DtlsSession({
      certificate,
      role,
      remoteFingerprint: certificate.fingerprint,
      send,
      onConnected: () => role === "client" && done.resolve(),
      onFailed: (reason) => done.reject(new Error(reason)),
      onClosed: () => {},
    });
  const server = make("server", (bytes) => client.receive(bytes));
  const client = make("client", (bytes) => server.receive(bytes));
  try {
    await done.promise;
  } finally {
    client.close();
    server.close();
  }
}
