import assert from "node:assert/strict";
import { parseIp, type SocketAddress } from "../../../core/mod.ts";
import { IceHub } from "../ice_hub.ts";
import type { IcePath } from "../ice_path.ts";
import { UdpPeer } from "../ice_testing.ts";
import { bindingRequest, stunMessage } from "../stun.ts";
import { TurnAttribute, TurnType } from "./client.ts";
import { Relays } from "./relays.ts";
import { FakeTurnServer } from "./turn_testing.ts";

function relays() {
  const warnings: string[] = [];
  return Object.assign(new Relays(new IceHub(), (message) => warnings.push(message)), { warnings });
}

Deno.test("Relays asks the next way to a server when one does not answer, and keeps only one address", async () => {
  using silent = new UdpPeer();
  using server = new FakeTurnServer();
  const all = relays();
  const { urls, ...login } = server.entry("tcp");
  all.use([{ urls: [`turn:127.0.0.1:${silent.address.port}`, ...urls], ...login }]);
  await all.answered();
  assert.equal(all.addresses.length, 1);
  assert.equal(server.size, 1);
  await all.close();
  assert.equal(server.size, 0);
  assert.deepEqual(all.warnings, []);
});

Deno.test("Relays asks each of three entries once, and no more", async () => {
  using server = new FakeTurnServer();
  const all = relays();
  const entry = server.entry();
  all.use([entry, entry, { ...entry, urls: ["stun:127.0.0.1:1"] }]);
  all.use([entry, server.entry("tcp"), { ...entry, username: "other" }, { ...entry, username: "fourth" }]);
  await all.answered();
  assert.equal(all.addresses.length, 2);
  assert.match(all.failure!, /refuses the login/);
  assert.equal(all.warnings.length, 1);
  assert.equal(server.asked.filter((method) => method === "ALLOCATE").length, 2 + 2 + 2);
  await all.close();
});

Deno.test("Relays leads to peers that were named before and after a server has answered", async () => {
  using server = new FakeTurnServer();
  const all = relays();
  const found: SocketAddress[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const tell = ({ remote, isRelayed }: IcePath) => {
    assert.ok(isRelayed);
    if (found.push(remote) === 2) resolve();
  };
  all.reach({ host: "127.0.0.1", port: 5001 }, tell);
  // The server has no address of this kind.
  all.reach({ host: "2001:db8::1", port: 5001 }, tell);
  all.use([server.entry()]);
  await all.answered();
  all.reach({ host: "127.0.0.1", port: 5002 }, tell);
  await promise;
  assert.deepEqual(found.map(({ port }) => port), [5001, 5002]);
  await all.close();
});

Deno.test("Relays passes over data that a server sends before anybody was let through", async () => {
  using server = new FakeTurnServer();
  const transaction = new Uint8Array(12);
  server.greeting = stunMessage(TurnType.DATA, transaction, [
    [TurnAttribute.XOR_PEER_ADDRESS, { ip: parseIp("127.0.0.1")!, port: 9 }],
    [TurnAttribute.DATA, bindingRequest({ transaction })],
  ]);
  const all = relays();
  all.use([server.entry("tcp")]);
  await all.answered();
  assert.deepEqual([all.addresses.length, all.failure], [1, undefined]);
  await all.close();
});

Deno.test("Relays says why there is none, and asks nobody after its end", async () => {
  const all = relays();
  all.use([{ urls: ["turn:127.0.0.1:1?transport=tcp"], username: "u", credential: "c" }]);
  await all.answered();
  assert.deepEqual(all.addresses, []);
  assert.match(all.warnings.join(), /^No relay: cannot reach turn:127\.0\.0\.1:1\?transport=tcp: /);
  await all.close();
  all.use([{ urls: ["turn:127.0.0.1:2"], username: "u", credential: "c" }]);
  await all.answered();
  assert.equal(all.warnings.length, 1);
});
