import assert from "node:assert/strict";
import { openAccel } from "./accel.ts";
import { listenUdp } from "./deno.ts";
import type { UdpSocket } from "./types.ts";

// Elsewhere there are no accelerators to test.
const isSupported = openable();

function openable(): boolean {
  using accel = openAccel("auto");
  return accel.crypto !== undefined && !/no UDP batches/.test(accel.summary);
}

/** Packets of these sizes in one buffer, each byte telling which packet it is of. */
function packetsOf(sizes: readonly number[], seed = 1): { bytes: Uint8Array; offsets: number[] } {
  const offsets: number[] = [];
  let end = 0;
  for (const size of sizes) {
    offsets.push(end);
    end += size;
  }
  const bytes = new Uint8Array(end);
  sizes.forEach((size, i) => bytes.fill(seed * 31 + i, offsets[i]!, offsets[i]! + size));
  return { bytes, offsets };
}

async function expectPackets(receiver: UdpSocket, { bytes, offsets }: { bytes: Uint8Array; offsets: number[] }) {
  const buffer = new Uint8Array(0x10000);
  for (const [i, offset] of offsets.entries()) {
    const { bytes: received } = await receiver.receive(buffer);
    assert.deepEqual(received, bytes.subarray(offset, offsets[i + 1]), `packet ${i}`);
  }
}

Deno.test("openAccel says why there is nothing", () => {
  using off = openAccel("off");
  assert.equal(off.summary, "off: switched off");
  assert.equal(off.crypto, undefined);
});

Deno.test({
  name: "openAccel opens nothing without the permission for native code",
  permissions: { ffi: false, net: true, read: true },
  fn() {
    using accel = openAccel("auto");
    assert.match(accel.summary, /^off: (FFI is not permitted|there are none)/);
    const socket = listenUdp({ host: "127.0.0.1", port: 0 });
    assert.equal(accel.udpSender(socket), undefined);
    socket.close();
  },
});

Deno.test({
  name: "openAccel opens libcrypto and batches, and what was made of it outlives it",
  ignore: !isSupported,
  async fn() {
    const accel = openAccel("auto");
    assert.match(accel.summary, /^OpenSSL \d+\.\d+\.\S+ \(AES-GCM, AES-CM with HMAC-SHA1\); UDP batches with/);
    const options = { key: new Uint8Array(16), authenticationKey: new Uint8Array(20), tagBytes: 10, isControl: false };
    const cipher = accel.crypto!.counterMode(options);
    const socket = listenUdp({ host: "127.0.0.1", port: 0 });
    const sender = accel.udpSender(socket)!;
    accel[Symbol.dispose]();
    accel[Symbol.dispose]();
    assert.equal(cipher.open(new Uint8Array(40), 12, new Uint8Array(16), 0), -1);
    cipher[Symbol.dispose]();
    cipher[Symbol.dispose]();
    assert.throws(() => cipher.open(new Uint8Array(40), 12, new Uint8Array(16), 0), /Cipher is closed/);
    const packets = packetsOf([100, 100]);
    assert.equal(sender.send(packets.bytes, packets.offsets, socket.address), 2);
    await expectPackets(socket, packets);
    sender[Symbol.dispose]();
    socket.close();
    assert.throws(() => accel.crypto!.counterMode(options), /closed/);
    assert.equal(accel.udpSender(socket), undefined);
  },
});

Deno.test({
  name: "UdpBatchSender sends packets of any sizes as they are",
  ignore: !isSupported,
  async fn() {
    using accel = openAccel("auto");
    const socket = listenUdp({ host: "127.0.0.1", port: 0 });
    const receiver = listenUdp({ host: "127.0.0.1", port: 0 });
    using sender = accel.udpSender(socket)!;
    const cases: [sizes: number[], calls: number][] = [
      [[1200], 1],
      [[...Array<number>(17).fill(1216), 400], 1],
      [[40, 24, 1216, 1216, 1216, 300], 1],
      [[500, 600, 700, 600, 500, 500], 1],
      [Array<number>(70).fill(100), 1],
      [Array<number>(70).fill(0).map((_, i) => 100 + i), 2],
      [[40_000, 40_000], 1],
      [[10, 0, 10, 0], 1],
    ];
    for (const [i, [sizes, calls]] of cases.entries()) {
      const packets = packetsOf(sizes, i);
      const before = sender.stats.calls;
      assert.equal(sender.send(packets.bytes, packets.offsets, receiver.address), sizes.length);
      if (accel.summary.endsWith("with segmentation")) assert.equal(sender.stats.calls - before, calls, `case ${i}`);
      await expectPackets(receiver, packets);
    }
    const { packets, wouldBlock, failed } = sender.stats;
    assert.deepEqual([packets, wouldBlock, failed], [cases.reduce((sum, [sizes]) => sum + sizes.length, 0), 0, 0]);
    assert.equal(sender.send(new Uint8Array(0), [], receiver.address), 0);
    socket.close();
    receiver.close();
  },
});

Deno.test({
  name: "UdpBatchSender reads the buffers it is given, however many and short-lived",
  ignore: !isSupported,
  async fn() {
    using accel = openAccel("auto");
    const receiver = listenUdp({ host: "127.0.0.1", port: 0 });
    using sender = accel.udpSender(receiver)!;
    for (let i = 0; i < 300; i++) {
      const packets = packetsOf([900, 900, 900, 10 + i], i);
      // Views that do not begin where their buffer does, and garbage between them.
      const shifted = new Uint8Array(packets.bytes.length + i);
      shifted.set(packets.bytes, i);
      new Uint8Array(100_000).fill(i);
      assert.equal(sender.send(shifted.subarray(i), packets.offsets, receiver.address), 4);
      await expectPackets(receiver, packets);
    }
    receiver.close();
  },
});

Deno.test({
  name: "UdpBatchSender counts what the kernel refuses, and leaves other addresses to the socket",
  ignore: !isSupported,
  fn() {
    using accel = openAccel("auto");
    const socket = listenUdp({ host: "127.0.0.1", port: 0 });
    using sender = accel.udpSender(socket)!;
    const { bytes, offsets } = packetsOf([10, 10]);
    for (const host of ["::1", "fe80::1%1", "localhost"]) {
      assert.equal(sender.send(bytes, offsets, { host, port: 9 }), -1, host);
    }
    assert.equal(sender.send(bytes, offsets, { host: "127.0.0.1", port: 0 }), -1);
    // The loopback address is no source for packets to elsewhere.
    assert.equal(sender.send(bytes, offsets, { host: "192.0.2.1", port: 9 }), 0);
    assert.equal(sender.stats.failed, 2);
    const tooLong = packetsOf([65_520]);
    assert.equal(sender.send(tooLong.bytes, tooLong.offsets, socket.address), 0);
    assert.equal(sender.stats.failed, 3);
    assert.throws(() => sender.send(bytes, [0, 25], socket.address), RangeError);
    assert.throws(() => sender.send(bytes, [-1, 5], socket.address), RangeError);
    assert.throws(() => sender.send(bytes, [5, 2], socket.address), RangeError);
    socket.close();
  },
});

Deno.test({
  name: "UdpBatchSender holds the port until it is disposed of",
  ignore: !isSupported,
  async fn() {
    using accel = openAccel("auto");
    const socket = listenUdp({ host: "127.0.0.1", port: 0 });
    const receiver = listenUdp({ host: "127.0.0.1", port: 0 });
    const sender = accel.udpSender(socket)!;
    const { bytes, offsets } = packetsOf([10, 10]);
    const { port } = socket.address;
    socket.close();
    assert.equal(sender.send(bytes, offsets, receiver.address), 2);
    await expectPackets(receiver, { bytes, offsets });
    sender[Symbol.dispose]();
    sender[Symbol.dispose]();
    assert.equal(sender.send(bytes, offsets, receiver.address), 0);
    listenUdp({ host: "127.0.0.1", port }).close();
    receiver.close();
  },
});

Deno.test({
  name: "UdpBatchSender sends from IPv6 sockets to both families",
  ignore: !isSupported || !hasIpv6(),
  async fn() {
    using accel = openAccel("auto");
    const socket = listenUdp({ host: "::", port: 0 });
    const receivers = ["127.0.0.1", "::1"].map((host) => listenUdp({ host, port: 0 }));
    using sender = accel.udpSender(socket)!;
    const packets = packetsOf([1000, 1000, 1000, 1]);
    for (const receiver of receivers) {
      assert.equal(sender.send(packets.bytes, packets.offsets, receiver.address), 4);
      await expectPackets(receiver, packets);
      receiver.close();
    }
    socket.close();
  },
});

function hasIpv6(): boolean {
  try {
    listenUdp({ host: "::1", port: 0 }).close();
    return true;
  } catch {
    // This machine has no IPv6.
    return false;
  }
}
