import assert from "node:assert/strict";
import { parseTurnUrl, turnServersOf } from "./server.ts";

Deno.test("parseTurnUrl() reads the forms of RFC 7065, and nothing else", () => {
  const read = (url: string) => {
    const found = parseTurnUrl(url);
    return found && `${found.transport} ${found.host} ${found.port} ${found.shown}`;
  };
  assert.equal(read("turn:t.example"), "udp t.example 3478 turn:t.example:3478");
  assert.equal(read("TURN:T.example:80?transport=tcp"), "tcp t.example 80 turn:t.example:80?transport=tcp");
  assert.equal(read("turn:[2001:db8::1]:99?transport=udp"), "udp 2001:db8::1 99 turn:[2001:db8::1]:99");
  assert.equal(read("turns:t.example"), "tls t.example 5349 turns:t.example:5349");
  assert.equal(read("turns:t.example:443?transport=tcp"), "tls t.example 443 turns:t.example:443");
  for (
    const bad of ["stun:t.example", "turn:", "turn:a:0", "turn:u@a", "turns:a?transport=udp", "turn:a?transport=x"]
  ) {
    assert.equal(read(bad), undefined, bad);
  }
});

Deno.test("turnServersOf() lists each entry's ways, UDP first, and leaves out entries without one", () => {
  const entries = [
    { urls: ["stun:s.example"] },
    { urls: ["turns:t.example", "turn:t.example?transport=tcp", "turn:t.example"], username: "u", credential: "c" },
  ];
  assert.deepEqual(
    turnServersOf(entries).map((ways) => ways.map(({ transport, username }) => `${transport} ${username}`)),
    [["udp u", "tcp u", "tls u"]],
  );
});
