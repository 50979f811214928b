import assert from "node:assert/strict";
import fc from "fast-check";
import { parseIp } from "../../core/mod.ts";
import {
  canonicalIp,
  hostPort,
  ipText,
  isContainerAddress,
  isLinkLocal,
  isLoopback,
  isPeerAddress,
} from "./addresses.ts";

Deno.test("canonicalIp() has one spelling for each address", () => {
  assert.equal(canonicalIp("2001:0DB8:0:0::5"), "2001:db8::5");
  assert.equal(canonicalIp("[::1]"), "::1");
  assert.equal(canonicalIp("::ffff:192.168.1.5"), "192.168.1.5");
  assert.equal(canonicalIp("fe80::1%eth0"), "fe80::1");
  assert.equal(canonicalIp("name.local"), undefined);
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
    const ip = parseIp(text);
    if (ip) assert.deepEqual(parseIp(ipText(ip)), ip);
  }));
});

Deno.test("addresses are told apart by their kind", () => {
  const kinds = (text: string) => {
    const ip = parseIp(text)!;
    return [isLoopback(ip), isLinkLocal(ip), isContainerAddress(ip), isPeerAddress(ip)].map(Number).join("");
  };
  assert.equal(kinds("127.0.0.1"), "1001");
  assert.equal(kinds("::1"), "1001");
  assert.equal(kinds("169.254.1.1"), "0101");
  assert.equal(kinds("fe80::1"), "0101");
  assert.equal(kinds("172.31.0.1"), "0011");
  assert.equal(kinds("172.32.0.1"), "0001");
  for (const nobody of ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1"]) {
    assert.equal(kinds(nobody), "0000");
  }
});

Deno.test("hostPort() puts brackets around IPv6 addresses", () => {
  assert.equal(hostPort("1.2.3.4", 5), "1.2.3.4:5");
  assert.equal(hostPort("::1", 5), "[::1]:5");
  assert.equal(hostPort("", 5), ":5");
});
