import assert from "node:assert/strict";
import { type ApiSocket, type PluginContext, StreamError } from "../../core/mod.ts";
import type { Answered, Answering } from "./http.ts";
import { serveSockets } from "./signalling_ws.ts";

/** A socket to signalling, whose offers are answered when the test says so. */
function opened() {
  const handlers = new Map<string, (value: unknown, socket: ApiSocket) => unknown>();
  const offers: PromiseWithResolvers<void>[] = [];
  const candidates: string[] = [];
  const answering = {
    accept: async (): Promise<Answered> => {
      const offer = Promise.withResolvers<void>();
      offers.push(offer);
      await offer.promise;
      return {
        ...{ id: "1", answer: "v=0", etag: "", amend: () => undefined, onCandidate: () => {}, close: () => {} },
        addCandidate: (text) => void candidates.push(text),
      };
    },
    find: () => undefined,
    iceServers: [],
  } satisfies Answering;
  const ctx = {
    socket: (type: string, _options: unknown, handle: (value: unknown, socket: ApiSocket) => unknown) =>
      void handlers.set(type, handle),
    streams: { getOrPatch: () => ({}) },
  };
  serveSockets(ctx as unknown as PluginContext, () => Promise.resolve(answering));
  const { signal } = new AbortController();
  const socket = { query: new URLSearchParams("src=cam"), signal, send: () => {} } as unknown as ApiSocket;
  return {
    offers,
    candidates,
    /** Resolves when the offer has been answered or refused. */
    say: async (type: string, value: string): Promise<void> => void (await handlers.get(type)!(value, socket)),
  };
}

Deno.test("A session over /api/ws is given the candidates of its own offer, also those that came before it", async () => {
  const { offers, candidates, say } = opened();
  await say("webrtc/candidate", "early");
  const first = say("webrtc/offer", "v=0");
  await say("webrtc/candidate", "behind");
  offers[0]!.resolve();
  await first;
  await say("webrtc/candidate", "late");
  assert.deepEqual(candidates, ["early", "behind", "late"]);
});

Deno.test("A session over /api/ws is given no candidates of offers that failed or were overtaken", async () => {
  const { offers, candidates, say } = opened();
  for (let i = 0; i < 12; i++) {
    const failing = say("webrtc/offer", "v=0");
    for (let n = 0; n < 10; n++) await say("webrtc/candidate", `of ${i}`);
    offers[i]!.reject(new StreamError("OFFLINE", "no picture"));
    await assert.rejects(failing, /no picture/);
    await say("webrtc/candidate", `behind ${i}`);
  }
  const overtaken = say("webrtc/offer", "v=0");
  await say("webrtc/candidate", "overtaken");
  const last = say("webrtc/offer", "v=0");
  await say("webrtc/candidate", "its own");
  for (const { resolve } of offers) resolve();
  await Promise.all([overtaken, last]);
  assert.deepEqual(candidates, ["its own"]);
});
