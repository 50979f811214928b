import assert from "node:assert/strict";
import { hostOf, Sessions } from "./sessions.ts";

const limits = { total: 4, per_ip: 3, connecting_per_ip: 2 };

Deno.test("Sessions lets an address have so many peers, and fewer that do not connect", () => {
  const sessions = new Sessions(limits);
  const first = sessions.reserve("10.0.0.5:1000");
  sessions.reserve("10.0.0.5:1001");
  assert.throws(() => sessions.reserve("10.0.0.5:1002"), /2 peers of 10\.0\.0\.5 that do not connect/);
  first.connected();
  sessions.reserve("10.0.0.5:1003").connected();
  assert.throws(() => sessions.reserve("10.0.0.5:1004"), /3 peers of 10\.0\.0\.5/);
  sessions.reserve("10.0.0.6:1000");
  assert.throws(() => sessions.reserve("10.0.0.7:1000"), /4 peers already/);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  sessions.reserve("10.0.0.5:1005");
  assert.throws(() => sessions.reserve("10.0.0.7:1000"), { code: "BUSY" });
});

Deno.test("Sessions does not count this machine itself", () => {
  const sessions = new Sessions({ ...limits, total: 10 });
  for (let i = 0; i < 10; i++) sessions.reserve(`127.0.0.1:${i + 1}`);
});

Deno.test("hostOf finds the address behind a proxy", () => {
  assert.equal(hostOf("192.168.1.5:3000"), "192.168.1.5");
  assert.equal(hostOf("[fe80::1]:3000"), "fe80::1");
  assert.equal(hostOf("127.0.0.1:3000 forwarded 203.0.113.7"), "203.0.113.7");
  assert.equal(hostOf("unix"), "unix");
});
