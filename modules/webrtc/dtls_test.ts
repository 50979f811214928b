import assert from "node:assert/strict";
import fc from "fast-check";
import { makeCertificate } from "./certificate.ts";
import type { DtlsKeys } from "./dtls.ts";
import { join, otherCertificate, stolenCertificate, type Wire } from "./dtls_testing.ts";

const ours = await makeCertificate();
const theirs = await otherCertificate();

function assertSameKeys(one: DtlsKeys, other: DtlsKeys): void {
  assert.equal(one.profile, other.profile);
  assert.deepEqual(one.localKey, other.remoteKey);
  assert.deepEqual(one.localSalt, other.remoteSalt);
  assert.deepEqual(one.remoteKey, other.localKey);
  assert.deepEqual(one.remoteSalt, other.localSalt);
  assert.notDeepEqual(one.localKey, one.remoteKey);
}

/** Waits until what was just received has been looked at. */
async function turnsOf(count: number): Promise<void> {
  for (let i = 0; i <= count; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** A record in the clear. */
function record(type: number, fragment: readonly number[], epoch = 0): Uint8Array {
  return Uint8Array.of(type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 9, 0, fragment.length, ...fragment);
}

Deno.test("DtlsSession agrees on keys in both roles, in one datagram each way and back", async () => {
  using pair = join({ client: theirs, server: ours });
  const [client, server] = await Promise.all([pair.client.connected, pair.server.connected]);
  assertSameKeys(client, server);
  assert.equal(server.profile, "AEAD_AES_128_GCM");
  assert.equal(server.localKey.length, 16);
  assert.equal(server.localSalt.length, 12);
  assert.equal(pair.toServer.length, 2);
  assert.equal(pair.toClient.length, 2);
  for (const datagram of [...pair.toServer, ...pair.toClient]) assert.ok(datagram.length <= 1200);
});

Deno.test("DtlsSession tells the peer when it ends", async () => {
  using pair = join({ client: theirs, server: ours });
  await Promise.all([pair.client.connected, pair.server.connected]);
  pair.server.session.close();
  await pair.client.closed;
  assert.deepEqual(pair.client.events, ["connected", "closed"]);
  assert.deepEqual(pair.server.events, ["connected"]);
});

Deno.test("DtlsSession refuses a certificate that the description does not name", async () => {
  const stranger = await otherCertificate();
  for (
    const [client, server] of [[{ ...stranger, fingerprint: theirs.fingerprint }, ours], [theirs, {
      ...stranger,
      fingerprint: ours.fingerprint,
    }]] as const
  ) {
    using pair = join({ client, server, limitMs: 600 });
    const reason = await (server === ours ? pair.server : pair.client).failed;
    assert.match(reason, /certificate is not the one that its description names/);
    assert.ok(!(server === ours ? pair.server : pair.client).events.includes("connected"));
  }
});

Deno.test("DtlsSession refuses a certificate without proof of possession", async () => {
  {
    using pair = join({ client: await stolenCertificate(theirs), server: ours, limitMs: 600 });
    assert.match(await pair.server.failed, /does not prove that its certificate is its own/);
    assert.deepEqual(pair.server.events, ["failed"]);
  }
  {
    using pair = join({ client: theirs, server: await stolenCertificate(ours), limitMs: 600 });
    assert.match(await pair.client.failed, /does not prove that its certificate is its own/);
    assert.deepEqual(pair.client.events, ["failed"]);
  }
});

Deno.test("DtlsSession fails in time when the peer says nothing more", async () => {
  using pair = join({ client: theirs, server: ours, toClient: () => [], limitMs: 500 });
  assert.match(await pair.client.failed, /did not finish in 0.5 s/);
  // The client's alert may come first, but is in the clear.
  assert.match(await pair.server.failed, /did not finish in 0.5 s|ended the handshake/);
});

Deno.test("DtlsSession sends again what gets lost, whichever it is", async () => {
  const lose = (lost: readonly number[]): Wire => (bytes, index) => lost.includes(index) ? [] : [bytes];
  for (const [toServer, toClient] of [[[0], []], [[], [0]], [[1], []], [[], [1]], [[1, 2], [0, 2]], [[0, 2], [1, 2]]]) {
    using pair = join({ client: theirs, server: ours, toServer: lose(toServer!), toClient: lose(toClient!) });
    assertSameKeys(await pair.client.connected, await pair.server.connected);
  }
});

Deno.test("DtlsSession puts up with copies, and with records that overtake each other", async () => {
  const split: Wire = (datagram) => {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < datagram.length;) {
      const end = at + 13 + (datagram[at + 11]! << 8 | datagram[at + 12]!);
      parts.push(datagram.subarray(at, end));
      at = end;
    }
    return [...parts.toReversed(), ...parts];
  };
  using pair = join({ client: theirs, server: ours, toServer: split, toClient: split });
  assertSameKeys(await pair.client.connected, await pair.server.connected);
});

Deno.test("DtlsSession puts messages together that came in pieces", async () => {
  // The certificate of a flight in three records, the last part first.
  const cut: Wire = (datagram) => {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < datagram.length;) {
      const end = at + 13 + (datagram[at + 11]! << 8 | datagram[at + 12]!);
      const one = datagram.subarray(at, end);
      at = end;
      if (one[0] !== 22 || one[13] !== 11) {
        parts.push(one);
        continue;
      }
      const body = one.subarray(25);
      for (const [from, to] of [[200, body.length], [0, 120], [120, 200]] as const) {
        const part = new Uint8Array(25 + to - from);
        part.set(one.subarray(0, 25));
        new DataView(part.buffer).setUint16(11, 12 + to - from);
        new DataView(part.buffer).setUint16(20, from);
        new DataView(part.buffer).setUint16(23, to - from);
        part.set(body.subarray(from, to), 25);
        parts.push(part);
      }
    }
    return parts;
  };
  using pair = join({ client: theirs, server: ours, toServer: cut, toClient: cut });
  assertSameKeys(await pair.client.connected, await pair.server.connected);
});

Deno.test("DtlsSession is not harmed by forged and replayed datagrams once it is connected", async () => {
  using pair = join({ client: theirs, server: ours });
  await Promise.all([pair.client.connected, pair.server.connected]);
  const [before, after] = [pair.toClient.length, pair.toServer.length];
  const forged = [
    record(21, [2, 40]),
    record(21, [1, 0]),
    record(21, [1, 0], 1),
    record(99, [0]),
    record(23, [1, 2, 3], 1),
    record(22, [20, 0, 0, 12], 1),
    record(20, [1]),
    ...pair.toServer.slice(0, 1),
    new Uint8Array(0),
    new Uint8Array(1),
  ];
  for (const bytes of forged) {
    pair.server.session.receive(bytes);
    pair.client.session.receive(bytes);
  }
  for (const bytes of pair.toClient.slice()) pair.client.session.receive(bytes);
  await turnsOf(forged.length + before);
  assert.deepEqual(pair.server.events, ["connected"]);
  assert.deepEqual(pair.client.events, ["connected"]);
  assert.equal(pair.toClient.length, before);
  assert.equal(pair.toServer.length, after);
  assert.ok(pair.server.session.dropped > 5);
});

Deno.test("DtlsSession answers a forged hello, and then the peer's own", async () => {
  const forge: Wire = (bytes, index) => {
    if (index > 0) return [bytes];
    const forged = bytes.slice();
    // A byte of the random number.
    forged[13 + 12 + 10]! ^= 1;
    return [forged, bytes];
  };
  using pair = join({ client: theirs, server: ours, toServer: forge, toClient: (bytes, i) => i === 0 ? [] : [bytes] });
  assertSameKeys(await pair.client.connected, await pair.server.connected);
});

Deno.test("DtlsSession says what it misses in the peer's hello", async () => {
  using pair = join({
    client: theirs,
    server: ours,
    limitMs: 400,
    // The SRTP extension becomes one that nobody knows.
    toServer: (bytes) => {
      const at = bytes.findIndex((_, i) => bytes[i] === 0 && bytes[i + 1] === 14 && bytes[i + 3] === 7);
      const other = bytes.slice();
      if (at > 0) other[at] = 0xee;
      return [other];
    },
  });
  assert.match(await pair.server.failed, /no SRTP profile is common to both/);
});

Deno.test("DtlsSession connects whatever else is on the wire, and throws nothing", async () => {
  const place = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), byte: fc.integer({ min: 1, max: 255 }) });
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 80 }).map((bytes) => () => bytes),
    fc.uint8Array({ maxLength: 200 }).map((content) => () => record(22, [...content])),
    fc.array(place, { minLength: 1, maxLength: 3 }).map((changes) => (real: Uint8Array) => {
      // Beyond the numbers of the first message: a forger who knows those can always end a handshake.
      const bytes = real.slice();
      for (const { at, byte } of changes) bytes[Math.floor(at * 11)]! ^= byte;
      return bytes;
    }),
    fc.double({ min: 0, max: 1, noNaN: true }).map((share) => (real: Uint8Array) =>
      real.subarray(0, Math.floor(real.length * share))
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(noise, { maxLength: 4 }), fc.boolean(), async (makers, isFirst) => {
      const wire: Wire = (bytes) => {
        const forged = makers.map((make) => make(bytes));
        return isFirst ? [...forged.filter((one) => one[13] !== bytes[13]), bytes] : [bytes, ...forged];
      };
      using pair = join({ client: theirs, server: ours, toServer: wire, toClient: wire });
      assertSameKeys(await pair.client.connected, await pair.server.connected);
    }),
    { numRuns: 60 },
  );
});

Deno.test("DtlsSession survives any bytes at any time", async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.tuple(fc.constantFrom(20, 21, 22, 23), fc.uint8Array({ maxLength: 120 }), fc.constantFrom(0, 1))
      .map(([type, content, epoch]) => record(type, [...content], epoch)),
    fc.tuple(fc.constantFrom(1, 2, 3, 11, 12, 13, 14, 15, 16, 20), fc.uint8Array({ maxLength: 120 }), fc.nat(3))
      .map(([type, body, sequence]) =>
        record(22, [type, 0, 0, body.length, 0, sequence, 0, 0, 0, 0, 0, body.length, ...body])
      ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { maxLength: 12 }), async (all) => {
      using pair = join({ client: theirs, server: ours, toServer: () => [], toClient: () => [] });
      for (const one of all) {
        pair.client.session.receive(one);
        pair.server.session.receive(one);
      }
      await turnsOf(all.length);
      assert.deepEqual([...pair.client.events, ...pair.server.events], []);
    }),
    { numRuns: 100 },
  );
});
