/** What tests of DTLS share: peers, and a wire between them that loses and forges. */
import { CipherContext } from "werift";
import { X509Certificate } from "node:crypto";
import { type Certificate, makeCertificate } from "./certificate.ts";
import { type DtlsKeys, DtlsSession, type DtlsSessionOptions } from "./dtls.ts";
import { fingerprintValue } from "./dtls_proof.ts";

/** Another identity than this process's own. */
export async function otherCertificate(kind: "ecdsa" | "rsa" = "ecdsa"): Promise<Certificate> {
  const { identity } = await makeCertificate();
  const signature = kind === "rsa" ? 1 : 3;
  const pem = await CipherContext.createSelfSignedCertificateWithKey({ hash: 4, signature }, 23);
  const value = fingerprintValue(new X509Certificate(pem.certPem).raw, "sha-256");
  return { fingerprint: { algorithm: "sha-256", value }, identity: { ...identity, ...pem } };
}

/** A certificate that somebody shows without having its key. */
export async function stolenCertificate(from: Certificate): Promise<Certificate> {
  const thief = await otherCertificate();
  return { fingerprint: from.fingerprint, identity: { ...thief.identity, certPem: from.identity.certPem } };
}

/** How a session came out. */
export interface Outcome {
  readonly session: DtlsSession;
  readonly connected: Promise<DtlsKeys>;
  readonly failed: Promise<string>;
  readonly closed: Promise<void>;
  readonly events: string[];
}

/** Begins a session whose outcome can be waited for. */
export function begin(options: Omit<DtlsSessionOptions, "onConnected" | "onFailed" | "onClosed">): Outcome {
  const [connected, failed, closed] = [
    Promise.withResolvers<DtlsKeys>(),
    Promise.withResolvers<string>(),
    Promise.withResolvers<void>(),
  ];
  const events: string[] = [];
  const session = new DtlsSession({
    ...options,
    onConnected: (keys) => {
      events.push("connected");
      connected.resolve(keys);
    },
    onFailed: (reason) => {
      events.push("failed");
      failed.resolve(reason);
    },
    onClosed: () => {
      events.push("closed");
      closed.resolve();
    },
  });
  return { session, connected: connected.promise, failed: failed.promise, closed: closed.promise, events };
}

/** What the wire does with a datagram: what arrives in its place, in order. */
export type Wire = (bytes: Uint8Array, index: number) => readonly Uint8Array[];

/** Joins a client and a server of ours. */
export function join(options: {
  readonly client: Certificate;
  readonly server: Certificate;
  readonly toServer?: Wire;
  readonly toClient?: Wire;
  readonly limitMs?: number;
}): { client: Outcome; server: Outcome; toServer: Uint8Array[]; toClient: Uint8Array[] } & Disposable {
  const keep: Wire = (bytes) => [bytes];
  const sent: { toServer: Uint8Array[]; toClient: Uint8Array[] } = { toServer: [], toClient: [] };
  const limit = options.limitMs === undefined ? {} : { limitMs: options.limitMs };
  const server = begin({
    ...limit,
    certificate: options.server,
    role: "server",
    remoteFingerprint: options.client.fingerprint,
    send: (bytes) => {
      const index = sent.toClient.push(bytes) - 1;
      for (const one of (options.toClient ?? keep)(bytes, index)) client.session.receive(one);
    },
  });
  const client = begin({
    ...limit,
    certificate: options.client,
    role: "client",
    remoteFingerprint: options.server.fingerprint,
    send: (bytes) => {
      const index = sent.toServer.push(bytes) - 1;
      for (const one of (options.toServer ?? keep)(bytes, index)) server.session.receive(one);
    },
  });
  return {
    client,
    server,
    ...sent,
    [Symbol.dispose]: () => {
      client.session.close();
      server.session.close();
    },
  };
}
