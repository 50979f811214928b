import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { parseIp } from "../../core/mod.ts";
import { ipText } from "./addresses.ts";
import { bindingError, bindingRequest, bindingSuccess, isStun, StunMessage, stunMessage, StunType } from "./stun.ts";

const encoder = new TextEncoder();

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.trim().split(/\s+/), (byte) => parseInt(byte, 16));
}

/** RFC 5769 §2.1. */
const REQUEST = hex(`
  00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
  80 22 00 10 53 54 55 4e 20 74 65 73 74 20 63 6c 69 65 6e 74
  00 24 00 04 6e 00 01 ff
  80 29 00 08 93 2f f9 b1 51 26 3b 36
  00 06 00 09 65 76 74 6a 3a 68 36 76 59 20 20 20
  00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49 c1 b5 71 a2
  80 28 00 04 e5 7a 3b cf`);
/** RFC 5769 §2.2. */
const RESPONSE_V4 = hex(`
  01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
  80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
  00 20 00 08 00 01 a1 47 e1 12 a6 43
  00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9 2a f9 ba 53 f0 6b e7 d7
  80 28 00 04 c0 7d 4c 96`);
/** RFC 5769 §2.3. */
const RESPONSE_V6 = hex(`
  01 01 00 48 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
  80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
  00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9
  00 08 00 14 a3 82 95 4e 4b e6 7b f1 17 84 c9 7c 82 92 c2 75 bf e3 ed 41
  80 28 00 04 c8 fb 0b 4c`);
/** RFC 5769 §2.4. */
const LONG_TERM = hex(`
  00 01 00 60 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e
  00 06 00 12 e3 83 9e e3 83 88 e3 83 aa e3 83 83 e3 82 af e3 82 b9 00 00
  00 15 00 1c 66 2f 2f 34 39 39 6b 39 35 34 64 36 4f 4c 33 34 6f 4c 39 46 53 54 76 79 36 34 73 41
  00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00
  00 08 00 14 f6 70 24 65 6d d6 4a 3e 02 b8 e0 71 2e 85 c9 a2 8c a8 96 66`);
const PASSWORD = encoder.encode("VOkJxbRl1RmTxUk/WvJxBt");

function read(bytes: Uint8Array): StunMessage {
  const message = new StunMessage();
  assert.ok(message.read(bytes));
  return message;
}

Deno.test("StunMessage reads the request of RFC 5769 §2.1", () => {
  const before = REQUEST.slice();
  const message = read(REQUEST);
  assert.equal(message.type, StunType.REQUEST);
  assert.equal(message.receiver, "evtj");
  assert.equal(message.priority, 0x6e0001ff);
  assert.equal(message.role, "controlled");
  assert.equal(message.useCandidate, false);
  assert.ok(message.hasFingerprint);
  assert.ok(message.isSignedWith(PASSWORD));
  assert.ok(!message.isSignedWith(encoder.encode("VOkJxbRl1RmTxUk/WvJxBx")));
  assert.equal(message.transactionWord(0), 0xb7e7a701);
  assert.deepEqual(REQUEST, before);
});

Deno.test("StunMessage reads the responses of RFC 5769 §2.2 and §2.3", () => {
  for (
    const [bytes, ip] of [[RESPONSE_V4, "192.0.2.1"], [RESPONSE_V6, "2001:db8:1234:5678:11:2233:4455:6677"]] as const
  ) {
    const message = read(bytes);
    assert.equal(message.type, StunType.SUCCESS);
    assert.ok(message.isSignedWith(PASSWORD));
    const mapped = message.mappedAddress()!;
    assert.equal(ipText(mapped.ip), ip);
    assert.equal(mapped.port, 32853);
  }
});

Deno.test("StunMessage checks the long-term credentials of RFC 5769 §2.4", () => {
  const key = createHash("md5").update("マトリックス:example.org:TheMatrIX").digest();
  const message = read(LONG_TERM);
  assert.ok(!message.hasFingerprint);
  assert.ok(message.isSignedWith(key));
  assert.equal(message.receiver, "");
});

Deno.test("StunMessage takes no attribute from behind the integrity", () => {
  const key = encoder.encode("key");
  const signed = stunMessage(0x0103, new Uint8Array(12), [[0x000d, Uint8Array.of(0, 0, 2, 88)]], key);
  const bytes = new Uint8Array([...signed, 0x00, 0x13, 0x00, 0x04, 1, 2, 3, 4]);
  bytes[3]! += 8;
  const message = read(bytes);
  assert.ok(message.isSignedWith(key));
  assert.equal(message.attribute(0x000d)?.length, 4);
  assert.equal(message.attribute(0x0013), undefined);
});

Deno.test("bindingSuccess() writes what a peer reads back, no larger than it must be", () => {
  for (const host of ["192.0.2.1", "2001:db8::1"]) {
    const request = read(REQUEST);
    const bytes = bindingSuccess(request, { ip: parseIp(host)!, port: 4711 }, PASSWORD);
    const answer = read(bytes);
    assert.equal(answer.type, StunType.SUCCESS);
    assert.ok(answer.isSignedWith(PASSWORD));
    assert.equal(answer.transactionWord(2), request.transactionWord(2));
    assert.equal(ipText(answer.mappedAddress()!.ip), host);
    assert.equal(answer.mappedAddress()!.port, 4711);
    assert.ok(bytes.length <= REQUEST.length);
  }
});

Deno.test("bindingRequest() writes a check that the other side accepts", () => {
  const transaction = Uint8Array.from({ length: 12 }, (_none, i) => i);
  const check = { username: "theirs:ours", key: PASSWORD, priority: 0x6e7fffff, role: "controlling" } as const;
  const message = read(bindingRequest({ transaction, check: { ...check, useCandidate: true } }));
  assert.equal(message.receiver, "theirs");
  assert.equal(message.role, "controlling");
  assert.equal(message.priority, 0x6e7fffff);
  assert.ok(message.useCandidate && message.hasFingerprint && message.isSignedWith(PASSWORD));
  assert.equal(bindingRequest({ transaction }).length, 20);
  const refusal = read(bindingError(message, 487, PASSWORD));
  assert.equal(refusal.type, StunType.ERROR);
  assert.equal(refusal.errorCode, 487);
  assert.ok(refusal.isSignedWith(PASSWORD));
});

Deno.test("StunMessage never throws, whatever it reads", () => {
  const message = new StunMessage();
  const look = (bytes: Uint8Array) => {
    isStun(bytes);
    if (!message.read(bytes)) return;
    message.isSignedWith(PASSWORD);
    message.mappedAddress();
    assert.ok(message.receiver.length <= 513);
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), look));
  const mutations = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
  const samples = fc.constantFrom(REQUEST, RESPONSE_V4, RESPONSE_V6, LONG_TERM);
  fc.assert(fc.property(samples, mutations, fc.nat(), (sample, changes, cut) => {
    const bytes = sample.slice();
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    look(bytes);
    look(bytes.subarray(0, cut % (bytes.length + 1)));
  }));
});

Deno.test("StunMessage accepts no message with a changed byte as signed", () => {
  const message = new StunMessage();
  fc.assert(fc.property(fc.nat(REQUEST.length - 33), fc.integer({ min: 1, max: 255 }), (at, mask) => {
    const bytes = REQUEST.slice();
    bytes[at]! ^= mask;
    assert.ok(!message.read(bytes) || !message.isSignedWith(PASSWORD));
  }));
});
