import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Case, Runtime } from "./conformance_testing.ts";
import type { StreamConn, TlsIdentity } from "./types.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function pair(runtime: Runtime): Promise<AsyncDisposable & { client: StreamConn; server: StreamConn }> {
  const listener = runtime.listenTcp(LOOPBACK);
  const [client, server] = await Promise.all([runtime.connectTcp(listener.address), listener.accept()]);
  return {
    client,
    server,
    [Symbol.asyncDispose]() {
      client.close();
      server.close();
      listener.close();
      return Promise.resolve();
    },
  };
}

async function readAll(conn: StreamConn, total: number): Promise<Uint8Array> {
  const all = new Uint8Array(total);
  for (let at = 0; at < total;) {
    const count = await conn.read(all.subarray(at));
    assert.notEqual(count, null, `end after ${at} of ${total} bytes`);
    at += count!;
  }
  return all;
}

/** A certificate of nobody's for 127.0.0.1; `undefined` without openssl. */
function selfSigned(): TlsIdentity | undefined {
  const folder = mkdtempSync(join(tmpdir(), "lenswire-tls-"));
  try {
    const names = ["-subj", "/CN=camera", "-addext", "subjectAltName=IP:127.0.0.1"];
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const args = [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      "-keyout",
      key,
      "-out",
      cert,
      ...names,
    ];
    execFileSync("openssl", args, { stdio: "ignore" });
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  } catch {
    // There is no openssl here.
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Streams of bytes and datagrams. */
export const socketCases: readonly Case[] = [
  {
    name: "TCP carries bytes both ways, tells addresses, and its end",
    async run(runtime) {
      await using both = await pair(runtime);
      const { client, server } = both;
      assert.deepEqual(client.remoteAddress, server.localAddress);
      assert.deepEqual(client.localAddress, server.remoteAddress);
      await runtime.writeAll(client, new TextEncoder().encode("hello"));
      assert.equal(text(await readAll(server, 2)), "he");
      assert.equal(text(await readAll(server, 3)), "llo");
      await runtime.writeAll(server, new Uint8Array(300_000).fill(7));
      server.close();
      assert.ok((await readAll(client, 300_000)).every((byte) => byte === 7));
      assert.equal(await client.read(new Uint8Array(1)), null);
    },
  },
  {
    name: "TCP holds up a writer whose reader does not read",
    async run(runtime) {
      await using both = await pair(runtime);
      const { client, server } = both;
      const piece = new Uint8Array(1 << 20).fill(1);
      let written = 0;
      let isDone = false;
      const writing = (async () => {
        while (written < 64 << 20) written += await client.write(piece.subarray(0, Math.min(piece.length, 64 << 20)));
        isDone = true;
      })();
      let before = -1;
      for (; written !== before; await new Promise((resolve) => setTimeout(resolve, 100))) before = written;
      assert.ok(!isDone && written < 32 << 20, `${written} bytes were taken`);
      const buffer = new Uint8Array(1 << 16);
      for (let got = 0; got < 64 << 20;) got += (await server.read(buffer))!;
      await writing;
    },
  },
  {
    name: "writeNow() and write() keep the order of bytes",
    async run(runtime) {
      await using both = await pair(runtime);
      const { client, server } = both;
      if (!server.writeNow) return;
      const send = async (bytes: Uint8Array) => {
        let sent = server.writeNow!(bytes);
        while (sent < bytes.length) sent += await server.write(sent === 0 ? bytes : bytes.subarray(sent));
      };
      const pieces = Array.from({ length: 40 }, (_, i) => new Uint8Array(i % 3 === 0 ? 100 : 700_000).fill(i));
      const sending = (async () => {
        for (const piece of pieces) await send(piece);
      })();
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (const [i, { length }] of pieces.entries()) {
        assert.ok((await readAll(client, length)).every((byte) => byte === i), `piece ${i}`);
      }
      await sending;
    },
  },
  {
    name: "A closed connection rejects reads and writes as a disconnect, and closing twice is harmless",
    async run(runtime) {
      await using both = await pair(runtime);
      const { client } = both;
      const reading = client.read(new Uint8Array(1));
      client.close();
      client.close();
      await assert.rejects(reading, runtime.isDisconnect);
      await assert.rejects(client.read(new Uint8Array(1)), runtime.isDisconnect);
      await assert.rejects(client.write(new Uint8Array(1)), runtime.isDisconnect);
      assert.equal(client.writeNow?.(new Uint8Array(1)) ?? 0, 0);
    },
  },
  {
    name: "A peer that has gone ends writes as a disconnect",
    async run(runtime) {
      await using both = await pair(runtime);
      const { client, server } = both;
      await server.write(new Uint8Array(10));
      client.close();
      const failed = (async () => {
        for (;;) {
          await server.write(new Uint8Array(1000));
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      })();
      await assert.rejects(failed, runtime.isDisconnect);
    },
  },
  {
    name: "listenTcp() throws when the port is taken, and accept() rejects once it is closed",
    async run(runtime) {
      const listener = runtime.listenTcp(LOOPBACK);
      assert.throws(() => runtime.listenTcp(listener.address), runtime.isAddressInUse);
      assert.throws(
        () => runtime.listenTcp({ host: "192.0.2.77", port: 0 }),
        (error) => !runtime.isAddressInUse(error),
      );
      const accepting = listener.accept();
      listener.close();
      listener.close();
      await assert.rejects(accepting);
      await assert.rejects(listener.accept());
      await assert.rejects(runtime.connectTcp(listener.address), /refused/i);
    },
  },
  {
    name: "listenTcp() without a host takes IPv4",
    async run(runtime) {
      const listener = runtime.listenTcp({ port: 0 });
      const accepting = listener.accept();
      const client = await runtime.connectTcp({ host: "127.0.0.1", port: listener.address.port });
      assert.match((await accepting).remoteAddress.host, /^(?:::ffff:)?127\.0\.0\.1$/);
      client.close();
      (await accepting).close();
      listener.close();
    },
  },
  {
    name: "An abort ends an attempt to connect, and no connection",
    async run(runtime) {
      const listener = runtime.listenTcp(LOOPBACK);
      await assert.rejects(runtime.connectTcp(listener.address, { signal: AbortSignal.abort() }), {
        name: "AbortError",
      });
      const controller = new AbortController();
      const connecting = runtime.connectTcp(listener.address, { signal: controller.signal });
      const [client, server] = await Promise.all([connecting, listener.accept()]);
      controller.abort();
      await client.write(new TextEncoder().encode("x"));
      assert.equal(text(await readAll(server, 1)), "x");
      for (const one of [client, server, listener]) one.close();
    },
  },
  {
    name: "TLS carries bytes; a certificate of nobody's is refused unless it is said to be right",
    async run(runtime) {
      const tls = selfSigned();
      if (!tls) return;
      const listener = runtime.listenTcp({ ...LOOPBACK, tls });
      const accepting = listener.accept();
      const client = await runtime.connectTls(listener.address, { insecure: true });
      await client.write(new TextEncoder().encode("hello"));
      const server = await accepting;
      assert.equal(text(await readAll(server, 5)), "hello");
      await runtime.writeAll(server, new Uint8Array(200_000).fill(3));
      assert.ok((await readAll(client, 200_000)).every((byte) => byte === 3));
      client.close();
      const refused = listener.accept().then((conn) => conn.read(new Uint8Array(1))).catch(() => {});
      await assert.rejects(runtime.connectTls(listener.address), /certificate|self.signed|issuer/i);
      server.close();
      listener.close();
      await refused;
    },
  },
  {
    name: "A TLS client that finds no TLS ends its connection",
    async run(runtime) {
      const listener = runtime.listenTcp(LOOPBACK);
      for (const options of [{}, { serverName: "no name" }]) {
        const accepting = listener.accept();
        const refused = assert.rejects(runtime.connectTls(listener.address, options));
        const server = await accepting;
        const rest = new Uint8Array(4096);
        const ended = (async () => {
          await runtime.writeAll(server, new TextEncoder().encode("220 no TLS here\r\n"));
          while (await server.read(rest) !== null);
        })().catch((error) => assert.ok(runtime.isDisconnect(error), String(error)));
        await refused;
        await ended;
        server.close();
      }
      listener.close();
    },
  },
  {
    name: "UDP carries datagrams, received into the buffer that was given",
    async run(runtime) {
      const [a, b] = [runtime.listenUdp(LOOPBACK), runtime.listenUdp(LOOPBACK)];
      assert.throws(() => runtime.listenUdp(a.address), runtime.isAddressInUse);
      for (const size of [1, 1200, 0, 9000]) {
        assert.equal(await a.send(new Uint8Array(size).fill(size), b.address), size);
      }
      const buffer = new Uint8Array(10_000);
      for (const size of [1, 1200, 0, 9000]) {
        const { bytes, from } = await b.receive(buffer);
        assert.equal(bytes.buffer, buffer.buffer);
        assert.deepEqual(from, a.address);
        assert.deepEqual(bytes, new Uint8Array(size).fill(size));
      }
      const receiving = b.receive(buffer);
      a.close();
      b.close();
      b.close();
      await assert.rejects(receiving);
      await assert.rejects(b.receive(buffer));
      await assert.rejects(a.send(buffer.subarray(0, 1), b.address));
    },
  },
];
