/** DTLS with peers that others wrote: werift as it is, and OpenSSL. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { DtlsClient, DtlsServer } from "werift";
import { type Certificate, makeCertificate } from "./certificate.ts";
import type { DtlsKeys } from "./dtls.ts";
import { begin, otherCertificate, type Outcome } from "./dtls_testing.ts";

const ours = await makeCertificate();
const hasOpenSsl = await new Deno.Command("openssl", { args: ["version"] }).output().then(() => true, () => false);

/** werift in the role that is not ours, until it is connected. */
async function withWerift(
  role: "server" | "client",
  certificate: Certificate,
): Promise<[DtlsKeys, DtlsClient | DtlsServer]> {
  const transport = {
    type: "test",
    address: { address: "", family: "", port: 0 },
    closed: false,
    onData: (_bytes: Buffer, _from: readonly [string, number]) => {},
    send: (bytes: Buffer) => {
      outcome.session.receive(Uint8Array.from(bytes));
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  const Peer = role === "server" ? DtlsClient : DtlsServer;
  const peer = new Peer({
    transport,
    cert: certificate.identity.certPem,
    key: certificate.identity.keyPem,
    signatureHash: { hash: 4, signature: 3 },
    srtpProfiles: [1, 7],
    extendedMasterSecret: true,
    certificateRequest: true,
  });
  const outcome = begin({
    certificate: ours,
    role,
    remoteFingerprint: certificate.fingerprint,
    send: (bytes) => transport.onData(Buffer.from(bytes), ["", 0]),
  });
  using _session = outcome.session;
  if ("connect" in peer) {
    // It waits half a second before it sees that it is answered.
    const begun = peer.connect();
    const keys = await outcome.connected;
    await begun;
    return [keys, peer];
  }
  return [await outcome.connected, peer];
}

for (const role of ["server", "client"] as const) {
  // werift keeps timers of its own for a while.
  Deno.test(
    { name: `DtlsSession as ${role} agrees on keys with werift`, sanitizeOps: false, sanitizeResources: false },
    async () => {
      const [keys, peer] = await withWerift(role, await otherCertificate());
      const theirs = keys.profile === "AEAD_AES_128_GCM"
        ? peer.extractSessionKeys(16, 12)
        : peer.extractSessionKeys(16, 14);
      assert.deepEqual(Buffer.from(keys.localKey), theirs.remoteKey);
      assert.deepEqual(Buffer.from(keys.remoteSalt), theirs.localSalt);
    },
  );
}

/** A UDP socket that our session sends and receives with. */
function overUdp(options: Parameters<typeof begin>[0], to: Deno.NetAddr | undefined, lost = -1) {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  let peer = to;
  let sent = 0;
  const outcome: Outcome = begin({
    ...options,
    send: (bytes) => {
      if (peer && sent++ !== lost) socket.send(bytes, peer).catch(() => {});
    },
  });
  const received = (async () => {
    for await (const [bytes, from] of socket) {
      peer = from as Deno.NetAddr;
      outcome.session.receive(Uint8Array.from(bytes));
    }
  })();
  return {
    outcome,
    port: (socket.addr as Deno.NetAddr).port,
    async [Symbol.asyncDispose]() {
      outcome.session.close();
      socket.close();
      await received;
    },
  };
}

function freePort(): number {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = socket.addr as Deno.NetAddr;
  socket.close();
  return port;
}

/** OpenSSL with a certificate of its own; answers the keys that it prints. */
async function openssl(args: readonly string[], certificate: Certificate) {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/peer.pem`, `${certificate.identity.certPem}\n${certificate.identity.keyPem}\n`);
  const child = new Deno.Command("openssl", {
    args: [...args, "-dtls1_2", "-cert", `${folder}/peer.pem`, "-key", `${folder}/peer.pem`],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  const printed = new EventTarget();
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      output += decoder.decode(bytes, { stream: true });
      printed.dispatchEvent(new Event("more"));
    }
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  return {
    /** What it printed until a pattern appears. */
    async until(pattern: RegExp): Promise<RegExpExecArray> {
      for (;;) {
        const match = pattern.exec(output);
        if (match) return match;
        await new Promise((resolve) => printed.addEventListener("more", resolve, { once: true }));
      }
    },
    async [Symbol.asyncDispose]() {
      await child.stdin.close().catch(() => {});
      child.kill("SIGTERM");
      await Promise.all([reading, child.status]);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

const KEYING = /Keying material: ([0-9A-F]+)/;

/** Client key, server key, client salt, server salt (RFC 5764 §4.2). */
function exported(keys: DtlsKeys, role: "server" | "client"): string {
  const { localKey, remoteKey, localSalt, remoteSalt } = keys;
  const parts = role === "client"
    ? [localKey, remoteKey, localSalt, remoteSalt]
    : [remoteKey, localKey, remoteSalt, localSalt];
  return parts.map((part) => Buffer.from(part).toString("hex")).join("").toUpperCase();
}

const material = (bytes: number) => ["-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen", String(bytes)];

for (const kind of ["ecdsa", "rsa"] as const) {
  for (
    const [offered, profile, bytes] of [
      ["SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM", "AEAD_AES_128_GCM", 56],
      ["SRTP_AES128_CM_SHA1_80", "AES_CM_128_HMAC_SHA1_80", 60],
    ] as const
  ) {
    Deno.test(
      { name: `DtlsSession as server agrees on ${profile} with OpenSSL (${kind})`, ignore: !hasOpenSsl },
      async () => {
        const certificate = await otherCertificate(kind);
        await using us = overUdp(
          { certificate: ours, role: "server", remoteFingerprint: certificate.fingerprint, send: () => {} },
          undefined,
        );
        const args = ["s_client", "-connect", `127.0.0.1:${us.port}`, "-use_srtp", offered, ...material(bytes)];
        await using peer = await openssl(args, certificate);
        const keys = await us.outcome.connected;
        assert.equal(keys.profile, profile);
        assert.equal((await peer.until(KEYING))[1], exported(keys, "server"));
      },
    );
  }
}

Deno.test({
  name: "DtlsSession sends its last flight again, under new numbers that OpenSSL takes",
  ignore: !hasOpenSsl,
}, async () => {
  const certificate = await otherCertificate();
  const options = { certificate: ours, remoteFingerprint: certificate.fingerprint, send: () => {} };
  await using us = overUdp({ ...options, role: "server" }, undefined, 1);
  const args = ["s_client", "-connect", `127.0.0.1:${us.port}`, "-use_srtp", "SRTP_AEAD_AES_128_GCM"];
  await using peer = await openssl([...args, ...material(56)], certificate);
  assert.equal((await peer.until(KEYING))[1], exported(await us.outcome.connected, "server"));
});

for (const extra of [[], ["-listen"]]) {
  const how = extra.length > 0 ? "that asks for a cookie" : "that asks for none";
  Deno.test({ name: `DtlsSession as client agrees with an OpenSSL server ${how}`, ignore: !hasOpenSsl }, async () => {
    const certificate = await otherCertificate();
    const port = freePort();
    const args = ["s_server", "-accept", `127.0.0.1:${port}`, "-use_srtp", "SRTP_AEAD_AES_128_GCM", "-Verify", "1"];
    await using peer = await openssl([...args, ...extra, ...material(56)], certificate);
    await peer.until(/ACCEPT/);
    const to: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port };
    await using us = overUdp(
      { certificate: ours, role: "client", remoteFingerprint: certificate.fingerprint, send: () => {} },
      to,
    );
    const keys = await us.outcome.connected;
    assert.equal((await peer.until(KEYING))[1], exported(keys, "client"));
  });
}
