import assert from "node:assert/strict";
import { type SocketAddress } from "../../core/mod.ts";
import { IceHub } from "./ice_hub.ts";
import { IcePath } from "./ice_path.ts";
import { IceSession } from "./ice.ts";
import { PEER, TestOwner } from "./ice_testing.ts";
import { bindingSuccess, StunMessage } from "./stun.ts";

const KEY = new TextEncoder().encode(PEER.pwd);
const HERE = { host: "192.0.2.1", port: 1 };
let port = 1024;

/** A way to a peer that answers each check. */
class AnsweringPath extends IcePath {
  override readonly isRelayed: boolean;
  /** Resolves when the first check has been answered. */
  readonly answered: Promise<void>;
  readonly #answered = Promise.withResolvers<void>();
  readonly #hub: IceHub;
  #isClosed = false;

  constructor(hub: IceHub, protocol: "udp" | "tcp", isRelayed = false, local: SocketAddress = HERE) {
    super(protocol, local, { host: "192.0.2.2", port: port++ });
    this.#hub = hub;
    this.answered = this.#answered.promise;
    this.isRelayed = isRelayed;
  }
  override get bytesInFlight(): number {
    return 0;
  }
  override get isClosed(): boolean {
    return this.#isClosed;
  }
  override send(packet: Uint8Array): boolean {
    const request = new StunMessage();
    if (request.read(packet)) {
      const answer = bindingSuccess(request, { ip: Uint8Array.of(203, 0, 113, 9), port: 5000 }, KEY);
      queueMicrotask(() => {
        this.#hub.receive(answer, this);
        this.#answered.resolve();
      });
    }
    return true;
  }
  override sendBatch(): number {
    return 0;
  }
  override close(): void {
    this.#isClosed = true;
  }
}

/** A session whose ways are found when the test says so. */
function searching(isOurs: boolean) {
  const hub = new IceHub();
  const owner = new TestOwner();
  const found = Promise.withResolvers<(path: IcePath) => void>();
  const session = new IceSession({
    hub,
    handlers: owner,
    isLite: false,
    pathsTo: () => [],
    slowWays: {
      reach: (_candidate, tell) => {
        found.resolve(tell);
        return true;
      },
      headStartMs: () => 0,
    },
  });
  session.setRemote({ ...PEER, isAnswerer: isOurs });
  assert.ok(session.addRemoteCandidate("candidate:1 1 udp 1 192.0.2.2 1024 typ srflx"));
  return { hub, owner, session, found: found.promise };
}

Deno.test("A session that chooses the way leaves a relay for a connection, and that for datagrams", async () => {
  const it = searching(true);
  using hub = it.hub;
  using session = it.session;
  const found = await it.found;
  const ways = [
    new AnsweringPath(hub, "udp", true),
    new AnsweringPath(hub, "tcp"),
    new AnsweringPath(hub, "udp"),
  ];
  for (const path of ways) {
    found(path);
    assert.equal(await it.owner.selections.take(), path);
  }
  assert.equal(session.selected!.remoteKind, "srflx");
  assert.deepEqual(session.selected!.seenAs, { host: "203.0.113.9", port: 5000 });
  assert.ok(session.selected!.rttMs! >= 0);
  const late = new AnsweringPath(hub, "udp", true);
  found(late);
  assert.ok(late.isClosed, "nothing better is looked for");
});

Deno.test("A session whose peer chooses the way stays where it is", async () => {
  const it = searching(false);
  using hub = it.hub;
  using session = it.session;
  const found = await it.found;
  const [relayed, direct] = [new AnsweringPath(hub, "udp", true), new AnsweringPath(hub, "udp")];
  found(relayed);
  assert.equal(await it.owner.selections.take(), relayed);
  found(direct);
  await direct.answered;
  assert.ok(direct.isConfirmed);
  assert.equal(session.selected, relayed);
});
