import assert from "node:assert/strict";
import fc from "fast-check";
import { IceHub } from "./ice_hub.ts";
import { SeenChecks, StrangerLimits, TokenBucket } from "./ice_limits.ts";
import { IcePath } from "./ice_path.ts";
import { checkBytes, testSession } from "./ice_testing.ts";

class FakePath extends IcePath {
  readonly sent: Uint8Array[] = [];
  override readonly bytesInFlight = 0;
  override readonly isClosed = false;
  constructor(host = "2001:db8::1") {
    super("udp", { host: "2001:db8::2", port: 1 }, { host, port: 50_000 });
  }
  override send(packet: Uint8Array): boolean {
    this.sent.push(packet);
    return true;
  }
  override sendBatch(): number {
    return 0;
  }
  override close(): void {}
}

Deno.test("TokenBucket lets a burst and then a rate pass", () => {
  const bucket = new TokenBucket(10, 5);
  const pass = (nowMs: number) => Array.from({ length: 20 }, () => bucket.take(nowMs)).filter(Boolean).length;
  assert.equal(pass(1000), 5);
  assert.equal(pass(1000), 0);
  assert.equal(pass(1300), 3);
  bucket.giveBack();
  assert.equal(pass(1300), 1);
  assert.equal(pass(60_000), 5);
  assert.equal(bucket.isFull(60_000), false);
  assert.equal(bucket.isFull(61_000), true);
});

Deno.test("StrangerLimits holds a bounded number of hosts", () => {
  const limits = new StrangerLimits();
  for (let i = 0; i < 5000; i++) assert.ok(limits.of(`host ${i}`, 5000).take(5000) || i > 3000);
  assert.equal(limits.size, 2048);
  limits.of("later", 10_000);
  assert.equal(limits.size, 1);
});

Deno.test("SeenChecks tells a repetition from a replay, for as many as it remembers", () => {
  const seen = new SeenChecks();
  for (let i = 0; i < 3000; i++) {
    assert.ok(seen.note(i, 7, 1));
    assert.ok(seen.note(i, 7, 1));
    assert.ok(!seen.note(i, 7, 2));
    if (i >= 1000) assert.ok(!seen.note(i - 1000, 7, 2));
  }
});

Deno.test("IceHub sends nothing for bytes that are not authentic, whatever they are", () => {
  const hub = new IceHub();
  const { session } = testSession(hub, undefined);
  const path = new FakePath();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    assert.equal(hub.receive(bytes, path), false);
  }));
  fc.assert(fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(), (at, mask, cut) => {
    const whole = checkBytes({ session });
    const changed = whole.slice();
    // The rest of the message is signed.
    changed[at % (changed.length - 32)]! ^= mask;
    assert.equal(hub.receive(changed, path), false);
    assert.equal(hub.receive(whole.subarray(0, cut % whole.length), path), false);
  }));
  assert.deepEqual(path.sent, []);
  session.close();
});

Deno.test("IceHub answers with no more bytes than it was asked with", () => {
  const hub = new IceHub();
  const { session } = testSession(hub, undefined, { isLite: true });
  for (const host of ["192.0.2.1", "2001:db8::1"]) {
    for (const role of ["controlling", "controlled"] as const) {
      const path = new FakePath(host);
      const bytes = checkBytes({ session, role });
      assert.ok(hub.receive(bytes, path));
      assert.equal(path.sent.length, 1);
      assert.ok(path.sent[0]!.length <= bytes.length);
    }
  }
  session.close();
});
