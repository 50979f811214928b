import assert from "node:assert/strict";
import { plainHost } from "./plain_host.ts";

Deno.test("plainHost() takes the IPv4 address out of a mapped one", () => {
  assert.equal(plainHost("::ffff:10.0.0.1"), "10.0.0.1");
  assert.equal(plainHost("fe80::1"), "fe80::1");
});
