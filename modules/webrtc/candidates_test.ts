import assert from "node:assert/strict";
import fc from "fast-check";
import {
  candidateText,
  hostCandidate,
  manualCandidate,
  parseCandidate,
  parseIceListen,
  parseManualCandidate,
  reflexiveCandidate,
} from "./candidates.ts";

const at = { host: "192.168.1.5", port: 8555 };

Deno.test("candidateText() writes lines in the contract's form", () => {
  assert.match(
    candidateText(hostCandidate("udp", at, 0)),
    /^candidate:\d+ 1 udp 2130706431 192\.168\.1\.5 8555 typ host$/,
  );
  assert.match(
    candidateText(manualCandidate("tcp", { host: "my.name", port: 443 }, 0)),
    /^candidate:\d+ 1 tcp \d+ my\.name 443 typ host tcptype passive$/,
  );
  assert.match(
    candidateText(reflexiveCandidate({ host: "203.0.113.9", port: 40000 }, at)),
    /^candidate:\d+ 1 udp 1694498815 203\.0\.113\.9 40000 typ srflx raddr 192\.168\.1\.5 rport 8555$/,
  );
});

Deno.test("candidate priorities put interfaces first, then the config's order, then TCP", () => {
  const order = [
    hostCandidate("udp", at, 0),
    hostCandidate("udp", at, 63),
    manualCandidate("udp", at, 0),
    manualCandidate("udp", at, 1),
    reflexiveCandidate(at, at),
    hostCandidate("tcp", at, 0),
    hostCandidate("tcp", at, 63),
    manualCandidate("tcp", at, 0),
    manualCandidate("tcp", at, 1),
  ].map(({ priority }) => priority);
  assert.deepEqual(order, order.toSorted((a, b) => b - a));
  assert.deepEqual(order.map((priority) => priority >>> 24), [126, 126, 126, 126, 100, 99, 99, 99, 99]);
});

Deno.test("parseCandidate() reads what candidateText() writes", () => {
  for (const candidate of [hostCandidate("udp", at, 3), manualCandidate("tcp", { host: "::1", port: 1 }, 0)]) {
    assert.deepEqual(parseCandidate(candidateText(candidate)), candidate);
    assert.deepEqual(parseCandidate(`a=${candidateText(candidate)} generation 0 ufrag x\r\n`), candidate);
  }
  const { type, host } = parseCandidate(candidateText(reflexiveCandidate(at, at)))!;
  assert.deepEqual([type, host], ["srflx", at.host]);
});

Deno.test("parseCandidate() reads lines of browsers", () => {
  const local = parseCandidate(
    "candidate:842163049 1 udp 1677729535 5f6e4e2c-0d2d-4bb2-9b7f-2b5a4a4a4a4a.local 46154 typ host generation 0 network-cost 999",
  );
  assert.equal(local?.host, "5f6e4e2c-0d2d-4bb2-9b7f-2b5a4a4a4a4a.local");
  const active = parseCandidate("candidate:1 1 TCP 1518280447 10.0.0.7 9 typ host tcptype active generation 0");
  assert.deepEqual([active?.protocol, active?.tcpType], ["tcp", "active"]);
  for (
    const bad of [
      "",
      "candidate:",
      "candidate:1 2 udp 1 1.2.3.4 5 typ host",
      "candidate:1 1 udp 1 1.2.3.4 70000 typ host",
    ]
  ) {
    assert.equal(parseCandidate(bad), undefined);
  }
});

Deno.test("parseCandidate() never throws", () => {
  fc.assert(fc.property(fc.string({ maxLength: 600 }), (text) => {
    parseCandidate(text);
    parseCandidate(`candidate:${text}`);
  }));
  const word = fc.constantFrom("1", "udp", "tcp", "typ", "host", "1.2.3.4", "::1", "x", "99999999999", "tcptype", "-1");
  fc.assert(fc.property(fc.array(word, { maxLength: 14 }), (words) => {
    parseCandidate(`candidate:${words.join(" ")}`);
  }));
});

Deno.test("parseManualCandidate() reads the config's forms and explains the others", () => {
  assert.deepEqual(parseManualCandidate("1.2.3.4:8555"), { host: "1.2.3.4", port: 8555 });
  assert.deepEqual(parseManualCandidate(" My.Name:443 "), { host: "my.name", port: 443 });
  assert.deepEqual(parseManualCandidate("[2001:db8::1]:8555"), { host: "2001:db8::1", port: 8555 });
  assert.deepEqual(parseManualCandidate("stun:8555"), { host: "", port: 8555 });
  for (const bad of ["", "1.2.3.4", "name:0", "name:70000", "a b:1", "x:1\r\na=y:1", "::1:8555"]) {
    assert.throws(() => parseManualCandidate(bad), { name: "TypeError", message: /write it like/ }, bad);
  }
});

Deno.test("parseIceListen() reads every row of the contract", () => {
  const all = { host: "", port: 8555, hasTcp: true, hasUdpPort: true };
  assert.deepEqual(parseIceListen(":8555"), all);
  assert.deepEqual(parseIceListen("1.2.3.4:8555"), { ...all, host: "1.2.3.4" });
  assert.deepEqual(parseIceListen(":8555/tcp"), { ...all, hasUdpPort: false });
  assert.deepEqual(parseIceListen(":8555/udp"), { ...all, hasTcp: false });
  assert.deepEqual(parseIceListen("[::1]:8555"), { ...all, host: "::1" });
  assert.deepEqual(parseIceListen(""), { host: "", port: 0, hasTcp: false, hasUdpPort: false });
  for (const bad of ["8555", ":8555/sctp", ":8555/tcp/udp"]) assert.throws(() => parseIceListen(bad), TypeError, bad);
});
