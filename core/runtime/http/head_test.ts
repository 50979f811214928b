import assert from "node:assert/strict";
import fc from "fast-check";
import { endOfHead, parseHead, RequestError, type RequestHead } from "./head.ts";

const bytesOf = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const parse = (text: string): RequestHead => parseHead(bytesOf(text));
const withHeaders = (...lines: string[]) => parse(["GET / HTTP/1.1", "Host: x", ...lines, "", ""].join("\r\n"));

Deno.test("endOfHead() finds the empty line, also with bare line feeds, and not before it is there", () => {
  assert.equal(endOfHead(bytesOf("GET / HTTP/1.1\r\nA: b\r\n\r\nrest")), 24);
  assert.equal(endOfHead(bytesOf("GET / HTTP/1.1\nA: b\n\nrest")), 21);
  for (const part of ["", "GET", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nA: b\r\n\r"]) {
    assert.equal(endOfHead(bytesOf(part)), -1, part);
  }
});

Deno.test("parseHead() reads method, target, headers and what follows from them", () => {
  const head = parse(
    "POST /a?b=%20c HTTP/1.1\r\nHost: cam:1984\r\nX-A:  1 \r\nX-A: \xe9\r\nContent-Length: 12\r\n\r\n",
  );
  assert.deepEqual(head, {
    method: "POST",
    target: "/a?b=%20c",
    isCurrent: true,
    headers: [["host", "cam:1984"], ["x-a", "1"], ["x-a", "\xe9"], ["content-length", "12"]],
    host: "cam:1984",
    body: 12,
    keepsAlive: true,
    waitsForContinue: false,
  });
  assert.equal(withHeaders("Connection: foo, Close").keepsAlive, false);
  assert.equal(withHeaders("Expect: 100-continue").waitsForContinue, true);
  assert.equal(withHeaders("Transfer-Encoding: Chunked").body, "chunked");
  assert.equal(withHeaders("Content-Length: 5, 5").body, 5);
});

Deno.test("parseHead() takes every host that clients name", () => {
  for (
    const host of ["", "cam:1984", "10.0.0.1", "[fe80::1%25eth0]:80", "[::ffff:1.2.3.4]", "a_b-c.lan.", "xn--nxa.gr:"]
  ) {
    assert.equal(parse(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`).host, host);
  }
});

Deno.test("parseHead() takes HTTP/1.0, which needs no host and closes unless asked", () => {
  const old = parse("GET / HTTP/1.0\n\n");
  assert.deepEqual([old.host, old.isCurrent, old.keepsAlive], [undefined, false, false]);
  assert.equal(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keepsAlive, true);
});

Deno.test("parseHead() refuses what a proxy may have read otherwise", () => {
  const refused: readonly (readonly [text: string, status: number])[] = [
    ["GET /\r\n\r\n", 400],
    ["GET / HTTP/1.1 x\r\nHost: x\r\n\r\n", 400],
    ["GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["GET /a\x01b HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["G@T / HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505],
    ["GET / HTTP/1.1\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: x/public?\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: x#\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: x\\y\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: a:b@x\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501],
    ["GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 501],
    ["GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ,chunked\r\n\r\n", 501],
    ["GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \xa0chunked\r\n\r\n", 501],
    ["GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n\r\n", 501],
    ["GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\nContent-Length: 1\r\n\r\n", 400],
    ["GET / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400],
    [`GET / HTTP/1.1\r\nHost: x\r\n${"a: b\r\n".repeat(200)}\r\n`, 431],
  ];
  for (const [text, status] of refused) {
    assert.throws(() => parse(text), (error) => error instanceof RequestError && error.status === status, text);
  }
});

Deno.test("parseHead() takes no longer for spaces in a row", () => {
  const spaces = " ".repeat(60_000);
  const startMs = performance.now();
  assert.equal(withHeaders(`X-A: a${spaces}b`).headers[1]![1].length, 60_002);
  assert.throws(() => withHeaders(`Content-Length: 1${spaces}1`), RequestError);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < 300, `${tookMs} ms`);
});

Deno.test("parseHead() reads any bytes or refuses them", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
    const end = endOfHead(noise);
    if (end < 0) return;
    try {
      parseHead(noise.subarray(0, end));
    } catch (error) {
      assert.ok(error instanceof RequestError);
    }
  }));
});

Deno.test("parseHead() reads back what was written", () => {
  const token = fc.stringMatching(/^[A-Za-z-]{1,12}$/).filter((name) => !/^(host|connection|expect)$/i.test(name));
  const value = fc.stringMatching(/^([!-~]([ -~]{0,20}[!-~])?)?$/);
  fc.assert(fc.property(fc.array(fc.tuple(token, value), { maxLength: 20 }), (pairs) => {
    const { headers } = withHeaders(...pairs.map(([name, text]) => `${name}: ${text}`));
    assert.deepEqual(headers.slice(1), pairs.map(([name, text]) => [name.toLowerCase(), text]));
  }));
});
