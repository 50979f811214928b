import assert from "node:assert/strict";
import { listenUdp, parseIp, type SocketAddress, type UdpSocket } from "../../core/mod.ts";
import { IceHub } from "./ice_hub.ts";
import { localAddress, silentLogger } from "./ice_testing.ts";
import { parseStunUrl, PublicAddress } from "./public_address.ts";
import { bindingSuccess, StunMessage } from "./stun.ts";
import { UdpMux } from "./udp_mux.ts";

/** A STUN server that sees everybody at one address. */
class StunServer implements Disposable {
  asked = 0;
  readonly #socket: UdpSocket = listenUdp({ host: "127.0.0.1", port: 0 });

  constructor(seen: string | undefined) {
    this.#serve(seen);
  }
  get address(): SocketAddress {
    return this.#socket.address;
  }
  async #serve(seen: string | undefined): Promise<void> {
    try {
      for (;;) {
        const { bytes, from } = await this.#socket.receive(new Uint8Array(2048));
        this.asked++;
        const request = new StunMessage();
        if (!seen || !request.read(bytes)) continue;
        await this.#socket.send(bindingSuccess(request, { ip: parseIp(seen)!, port: 4711 }, undefined), from);
      }
    } catch {
      // Closed.
    }
  }
  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

function asker(urls: string[], resolve?: (host: string) => Promise<string[]>) {
  const hub = new IceHub();
  const udp = new UdpMux({ hub, log: silentLogger, port: 0 });
  udp.bind([localAddress("127.0.0.1")]);
  const pathsTo = (to: SocketAddress) => udp.pathsTo(to, parseIp(to.host)!);
  const address = new PublicAddress({ hub, urls, pathsTo, ...(resolve ? { resolve } : {}) });
  return {
    address,
    base: udp.addresses[0]!,
    [Symbol.dispose]() {
      address[Symbol.dispose]();
      udp[Symbol.dispose]();
      hub[Symbol.dispose]();
    },
  };
}

Deno.test("PublicAddress asks the first server that answers, once in five minutes", async () => {
  using server = new StunServer("203.0.113.9");
  using it = asker(
    ["turn:x:1", "stun:nowhere.invalid", `stun:somewhere:${server.address.port}`],
    (host) => host === "somewhere" ? Promise.resolve(["127.0.0.1"]) : Promise.reject(new Error("no such host")),
  );
  await Promise.all([it.address.refresh(), it.address.refresh()]);
  assert.deepEqual(it.address.known, [{ seen: { host: "203.0.113.9", port: 4711 }, base: it.base }]);
  await it.address.refresh();
  assert.equal(server.asked, 1);
});

Deno.test("PublicAddress gives up without an answer, and does not ask again at once", async () => {
  using server = new StunServer(undefined);
  using it = asker(["stun:nowhere.invalid"], () => Promise.reject(new Error("offline")));
  assert.ok(it.address.isFirstRound);
  await it.address.refresh();
  assert.deepEqual(it.address.known, []);
  assert.equal(it.address.isFirstRound, false);
  await it.address.refresh();
  assert.equal(server.asked, 0);
});

Deno.test("PublicAddress ends its round when it is disposed", async () => {
  using server = new StunServer(undefined);
  const it = asker([`stun:127.0.0.1:${server.address.port}`]);
  const round = it.address.refresh();
  it[Symbol.dispose]();
  await round;
  assert.deepEqual(it.address.known, []);
});

Deno.test("parseStunUrl() reads stun URLs only", () => {
  assert.deepEqual(parseStunUrl("stun:stun.example.org"), { host: "stun.example.org", port: 3478 });
  assert.deepEqual(parseStunUrl("stun:1.2.3.4:19302?transport=udp"), { host: "1.2.3.4", port: 19302 });
  assert.deepEqual(parseStunUrl("stun:[2001:db8::1]:5"), { host: "2001:db8::1", port: 5 });
  for (const other of ["turn:x:1", "stuns:x", "", "stun:", "stun:x:99999"]) {
    assert.equal(parseStunUrl(other), undefined);
  }
});
