import assert from "node:assert/strict";
import { iceServerLinks, readIceServerLinks, readIceServers } from "./options.ts";

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
  readIceServerLinks("<".repeat(60_000));
  assert.ok(performance.now() - startMs < 1000);
});

Deno.test("iceServerLinks() leaves out what no header can say", () => {
  const urls = ["turn:t.example"];
  assert.equal(iceServerLinks([{ urls, username: "u", credential: "geheim\u00e4" }]), "");
  assert.equal(iceServerLinks([{ urls, username: "u\r\nx-evil: 1", credential: "c" }]), "");
  assert.equal(iceServerLinks([{ urls: ["stun:a>b"] }, { urls: ["stun:s"] }]), '<stun:s>; rel="ice-server"');
});

Deno.test("readIceServers() takes what it can read", () => {
  assert.deepEqual(
    readIceServers([{ urls: "a", username: null }, { urls: ["b", 1], username: "u", credential: "c" }, 0, {}]),
    [
      { urls: ["a"] },
      { urls: ["b"], username: "u", credential: "c" },
    ],
  );
  assert.deepEqual(readIceServers("x"), []);
});
