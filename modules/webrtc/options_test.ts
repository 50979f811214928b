import assert from "node:assert/strict";
import { iceServerLinks, readIceServerLinks } from "./options.ts";

Deno.test("readIceServerLinks() reads what iceServerLinks() writes", () => {
  const servers = [
    { urls: ["stun:s.example"], username: undefined, credential: undefined },
    { urls: ["turn:t.example?transport=udp"], username: 'us"er', credential: "a\\b,; c" },
  ];
  assert.deepEqual(readIceServerLinks(iceServerLinks(servers)), servers);
});

Deno.test("readIceServerLinks() takes the forms of others, and passes over other links", () => {
  const header =
    "</style.css>; rel=preload; as=style, <turns:t.example:443> ;rel=ice-server;username=u ; Credential=c," +
    '<https://host/a,b>; rel="next", <stun:s.example>; rel="foo ice-server"';
  assert.deepEqual(readIceServerLinks(header), [
    { urls: ["turns:t.example:443"], username: "u", credential: "c" },
    { urls: ["stun:s.example"], username: undefined, credential: undefined },
  ]);
  assert.deepEqual(readIceServerLinks(null), []);
  assert.deepEqual(readIceServerLinks("<stun:s.example"), []);
  assert.equal(readIceServerLinks('<stun:s>; rel="ice-server", '.repeat(1000)).length, 16);
});

Deno.test("readIceServerLinks() takes its time linearly, whatever is sent", () => {
  const startMs = performance.now();
  readIceServerLinks("<a>" + " ".repeat(60_000));
  readIceServerLinks('<a>;b="' + "\\".repeat(60_000));
  readIceServerLinks("<a>" + ";a=".repeat(20_000));
  assert.ok(performance.now() - startMs < 1000);
});
