import assert from "node:assert/strict";
import { listenTcp, listenUdp } from "../runtime/mod.ts";
import { listenFault } from "./listen_fault.ts";

function faultOf(listen: () => { close(): void }, port: number): string {
  try {
    listen().close();
  } catch (error) {
    return listenFault(error, port);
  }
  throw new Error("it can be listened to");
}

Deno.test("listenFault() says why nobody can listen", () => {
  const taken = listenTcp({ host: "127.0.0.1", port: 0 });
  const { port } = taken.address;
  assert.equal(faultOf(() => listenTcp({ host: "127.0.0.1", port }), port), "the port is in use by another program");
  taken.close();
  // An address of documentation: no machine has it.
  for (const listen of [listenTcp, listenUdp]) {
    assert.equal(faultOf(() => listen({ host: "192.0.2.1", port: 0 }), 0), "this machine does not have that address");
  }
  const refused = Object.assign(new Error("Permission denied (os error 13)"), { code: "EACCES" });
  assert.match(listenFault(refused, 80), /ports below 1024 .* CAP_NET_BIND_SERVICE/);
  assert.equal(listenFault(refused, 1984), "the system does not permit it");
  const inUse = Object.assign(new Error("in use"), { code: "EADDRINUSE" });
  assert.equal(listenFault(inUse, undefined), "the path is in use by another program");
  assert.equal(listenFault(new Error("odd"), 80), "odd");
});
