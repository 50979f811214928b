import assert from "node:assert/strict";
import { AF_INET, AF_INET6, isSockaddr, parseIp, sockaddrOf } from "./accel_sockaddr.ts";

Deno.test("parseIp reads literals and nothing else", () => {
  const read = (host: string) => parseIp(host)?.toHex();
  assert.equal(read("192.168.1.20"), "c0a80114");
  assert.equal(read("::"), "00000000000000000000000000000000");
  assert.equal(read("::1"), "00000000000000000000000000000001");
  assert.equal(read("2001:db8::a:b"), "20010db80000000000000000000a000b");
  assert.equal(read("1:2:3:4:5:6:7:8"), "00010002000300040005000600070008");
  assert.equal(read("1:2:3:4:5:6:7::"), "00010002000300040005000600070000");
  assert.equal(read("::ffff:10.0.0.1"), "00000000000000000000ffff0a000001");
  const wrong = ["", "host", "1.2.3", "1.2.3.256", "1.2.3.4.5", "fe80::1%eth0", ":::", "1::2::3", "1:2", "12345::"];
  for (const host of [...wrong, "1:2:3:4:5:6:7:8::", "1:2:3:4:5:6:7:8:9", "::1.2.3", "g::"]) {
    assert.equal(read(host), undefined, host);
  }
});

Deno.test("sockaddrOf writes addresses in the form of the socket's family", () => {
  const write = (host: string, family: number, port = 0x1234) => sockaddrOf({ host, port }, family)?.toHex();
  assert.equal(write("1.2.3.4", AF_INET), "02001234010203040000000000000000");
  assert.equal(write("::ffff:1.2.3.4", AF_INET), "02001234010203040000000000000000");
  assert.equal(write("1.2.3.4", AF_INET6), "0a0012340000000000000000000000000000ffff0102030400000000");
  assert.equal(write("2001:db8::1", AF_INET6), "0a0012340000000020010db800000000000000000000000100000000");
  assert.equal(write("2001:db8::1", AF_INET), undefined);
  assert.equal(write("fe80::1%2", AF_INET6), undefined);
  assert.equal(write("1.2.3.4", AF_INET, 0), undefined);
});

Deno.test("isSockaddr knows a socket's own address", () => {
  const address = sockaddrOf({ host: "127.0.0.1", port: 8555 }, AF_INET)!;
  assert.ok(isSockaddr(address, { host: "127.0.0.1", port: 8555 }));
  assert.ok(!isSockaddr(address, { host: "127.0.0.1", port: 8556 }));
  assert.ok(!isSockaddr(address, { host: "127.0.0.2", port: 8555 }));
  assert.ok(!isSockaddr(address, { host: "::", port: 8555 }));
  const local = sockaddrOf({ host: "fe80::1", port: 1 }, AF_INET6)!;
  assert.ok(isSockaddr(local, { host: "fe80::1%3", port: 1 }));
});
