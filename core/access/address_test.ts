import assert from "node:assert/strict";
import { contains, hostOf, onLinkNetworks, parseIp, parseNetwork, reachOf } from "./address.ts";

Deno.test("parseIp() reads both families and refuses what is no literal", () => {
  assert.deepEqual(parseIp("192.168.1.5"), new Uint8Array([192, 168, 1, 5]));
  assert.deepEqual(parseIp("::ffff:10.0.0.1"), new Uint8Array([10, 0, 0, 1]));
  assert.deepEqual(parseIp("::ffff:a00:1"), new Uint8Array([10, 0, 0, 1]));
  assert.equal(parseIp("[fe80::1%eth0]")?.length, 16);
  assert.equal(parseIp("2001:db8:0:0:0:0:0:1")?.length, 16);
  for (
    const text of [
      "",
      "1.2.3",
      "1.2.3.256",
      "01.2.3.4",
      "1.2.3.4.5",
      "::1::",
      "1:2:3",
      "g::1",
      "host",
      "1:2:3:4:5:6:7:8:9",
    ]
  ) {
    assert.equal(parseIp(text), undefined, text);
  }
});

Deno.test("parseNetwork() reads blocks and single addresses", () => {
  assert.equal(parseNetwork("10.0.0.0/8")?.prefix, 8);
  assert.equal(parseNetwork("10.1.2.3")?.prefix, 32);
  assert.equal(parseNetwork("::ffff:10.0.0.0/104")?.prefix, 8);
  for (const text of ["10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/8/8", "lan", "/8"]) {
    assert.equal(parseNetwork(text), undefined, text);
  }
  assert.equal(contains(parseNetwork("192.168.128.0/17")!, parseIp("192.168.127.255")!), false);
  assert.equal(contains(parseNetwork("192.168.128.0/17")!, parseIp("192.168.200.1")!), true);
});

Deno.test("reachOf() tells this machine, the local network and the rest apart", () => {
  const own = onLinkNetworks(["203.0.113.7/24", "2001:db8:1::7/64", "100.64.3.4/10", "0.0.0.0/0"]);
  const table: readonly [string, string][] = [
    ["127.0.0.1", "loopback"],
    ["127.8.8.8", "loopback"],
    ["::1", "loopback"],
    ["::ffff:127.0.0.1", "loopback"],
    ["10.1.1.1", "local"],
    ["172.16.0.1", "local"],
    ["172.32.0.1", "remote"],
    ["192.168.0.9", "local"],
    ["169.254.1.1", "local"],
    ["fe80::1", "local"],
    ["fd00::1", "local"],
    ["203.0.113.99", "local"],
    ["2001:db8:1::99", "local"],
    ["2001:db8:2::99", "remote"],
    ["100.64.3.5", "remote"],
    ["8.8.8.8", "remote"],
    ["0.0.0.0", "remote"],
  ];
  for (const [text, reach] of table) assert.equal(reachOf(parseIp(text), own, []), reach, text);
  assert.equal(reachOf(parseIp("100.64.3.5"), own, onLinkNetworks(["100.64.0.0/10"])), "local");
  assert.equal(reachOf(undefined, own, []), "remote");
});

Deno.test("hostOf() leaves the name alone", () => {
  const table: readonly [string, string][] = [
    ["Example.COM:1984", "example.com"],
    ["[::1]:1984", "::1"],
    ["fe80::1", "fe80::1"],
    ["localhost.", "localhost"],
    ["cam", "cam"],
  ];
  for (const [text, host] of table) assert.equal(hostOf(text), host);
});
