import assert from "node:assert/strict";
import type { Candidate } from "./candidates.ts";
import { CheckList } from "./ice_checks.ts";
import { IcePath } from "./ice_path.ts";

/** A way that nothing comes of. */
class DeadPath extends IcePath {
  #isClosed = false;

  constructor(host: string, port: number, local = "192.0.2.1") {
    super("udp", { host: local, port: 8555 }, { host, port });
  }
  override get bytesInFlight(): number {
    return 0;
  }
  override get isClosed(): boolean {
    return this.#isClosed;
  }
  override send(): boolean {
    return true;
  }
  override sendBatch(): number {
    return 0;
  }
  override close(): void {
    this.#isClosed = true;
  }
}

const PEER = "198.51.100.7";

/** The checks of a host with so many addresses. */
function listOf(addresses: number) {
  const made: DeadPath[] = [];
  const list = new CheckList(({ host, port }) => {
    const paths = Array.from({ length: addresses }, (_none, i) => new DeadPath(host, port, `192.0.2.${i + 1}`));
    made.push(...paths);
    return paths;
  });
  return { list, made };
}

const line = (port: number, priority = 1) => `candidate:1 1 udp ${priority} ${PEER} ${port} typ srflx`;
const relayed: Candidate = { foundation: "1", protocol: "udp", priority: 1, host: PEER, port: 40_001, type: "srflx" };

Deno.test("CheckList tries all candidates of a peer from each of a host's many addresses", () => {
  const { list, made } = listOf(12);
  for (const port of [40_001, 40_002, 40_003]) assert.ok(list.add(line(port), 0));
  const tried = Array.from(made, (_none, i) => list.next(i * 50));
  assert.deepEqual(new Set(tried), new Set(made));
});

Deno.test("CheckList tries a way that is found late, and forgets for it what was tried for long enough", () => {
  const { list, made } = listOf(20);
  for (let port = 40_001; port <= 40_005; port++) list.add(line(port), 0);
  const relay = new DeadPath(PEER, 40_001, "203.0.113.9");
  assert.equal(list.addPath(relay, relayed, 5000), true);
  assert.equal(list.next(5000), relay);
  assert.ok(made.every(({ isClosed }) => isClosed));
});

Deno.test("CheckList keeps no path that it does not try, and has none made when it is full", () => {
  const { list, made } = listOf(60);
  list.add(line(40_001), 0);
  assert.equal(list.add(line(40_002), 0), true, "from the addresses that there is room for");
  assert.deepEqual(made.map(({ isClosed }) => isClosed), Array.from(made, (_none, i) => i >= 100));
  assert.equal(list.add(line(40_003), 0), false);
  assert.equal(made.length, 120);
});

Deno.test("CheckList leaves the least promising way for a better one when it is full", () => {
  const { list, made } = listOf(1);
  for (let i = 0; i < 99; i++) list.add(line(40_000 + i, 100 + i), 0);
  const paths = Array.from({ length: 3 }, () => new DeadPath(PEER, 50_000));
  assert.equal(list.addPath(paths[0]!, { ...relayed, priority: 1 }, 0), true);
  assert.equal(list.addPath(paths[1]!, { ...relayed, priority: 1 }, 0), false, "it is no better than the others");
  assert.equal(list.addPath(paths[1]!, { ...relayed, priority: 2 }, 0), true);
  assert.ok(paths[0]!.isClosed);
  assert.equal(list.next(0), made.at(-1));
  assert.equal(list.addPath(paths[2]!, { ...relayed, priority: 1 }, 0), true, "nobody has tried it");
  assert.ok(made.at(-1)!.isClosed);
});
