import { type ApiSocket, parseStart, type PluginContext, StreamError } from "../../core/mod.ts";
import type { Answered, Answering } from "./http.ts";
import { sdpOfValue } from "./http.ts";
import type { Offer, OfferTarget } from "./offer.ts";
import { readIceServers } from "./options.ts";

/** Candidates that wait for their offer at most. */
const MAX_QUEUED = 100;
const MAX_CANDIDATE_CHARS = 512;

/** What a socket has of WebRTC. */
interface Talk {
  session: Answered | undefined;
  /** The newest offer's candidates that came before its session. */
  queue: string[];
  /** Counts offers, so that a late answer to an earlier one is not taken for that to the newest. */
  offers: number;
}

/** `/api/ws`: offers, answers and candidates in both directions (contract §4.2). Sessions outlive their socket. */
export function serveSockets(ctx: PluginContext, answering: () => Promise<Answering>): void {
  const talks = new WeakMap<ApiSocket, Talk>();
  const talkOf = (socket: ApiSocket): Talk => {
    let talk = talks.get(socket);
    if (!talk) talks.set(socket, talk = { session: undefined, queue: [], offers: 0 });
    return talk;
  };
  const answer = async (socket: ApiSocket, sdp: string, reply: (answer: string) => void, more: Partial<Offer> = {}) => {
    const talk = talkOf(socket);
    const turn = ++talk.offers;
    // What came before the first offer is its own; later those of the one before may still come.
    if (turn > 1) talk.queue = [];
    talk.session?.close("another offer took its place");
    talk.session = undefined;
    const session = await (await answering()).accept({
      sdp,
      target: targetOf(ctx, socket),
      principal: socket.principal,
      formatName: "webrtc",
      protocol: "ws",
      remoteAddr: socket.remoteAddr,
      userAgent: socket.userAgent,
      isTrickle: true,
      start: parseStart(socket.query.get("start")),
      signal: socket.signal,
      ...more,
    });
    if (talk.offers !== turn || socket.signal.aborted) return session.close("nobody waits for the answer");
    reply(session.answer);
    talk.session = session;
    session.onCandidate((text) => socket.send("webrtc/candidate", text));
    for (const text of talk.queue.splice(0)) session.addCandidate(text);
  };
  // What is needed depends on what the offer holds: the stream decides when the session enters it.
  const needs = "public";
  ctx.socket("webrtc/offer", { needs, summary: "An offer; value: SDP" }, async (value, socket) => {
    if (typeof value !== "string") throw new StreamError("BAD_SOURCE", "expected the offer's SDP as value");
    await answer(socket, value, (sdp) => socket.send("webrtc/answer", sdp));
  });
  ctx.socket(
    "webrtc",
    { needs, summary: 'An offer; value: {"type": "offer", "sdp": "…", "ice_servers": […]}' },
    async (value, socket) => {
      const servers = (value as { ice_servers?: unknown } | null)?.ice_servers;
      await answer(
        socket,
        sdpOfValue(value),
        (sdp) => socket.send("webrtc", { type: "answer", sdp }),
        { iceServers: readIceServers(servers) },
      );
    },
  );
  ctx.socket("webrtc/candidate", { needs, summary: "A candidate; value: its line" }, (value, socket) => {
    const text = typeof value === "string" ? value : "";
    if (text.length > MAX_CANDIDATE_CHARS) return;
    const talk = talkOf(socket);
    if (talk.session) talk.session.addCandidate(text);
    else if (talk.queue.length < MAX_QUEUED) talk.queue.push(text);
  });
}

// The query is read when a message comes: the stream may be new.
function targetOf(ctx: PluginContext, { query, principal }: ApiSocket): OfferTarget {
  const dst = query.get("dst");
  if (!query.get("src") && dst) {
    const stream = ctx.streams.get(dst, principal);
    if (!stream) throw new StreamError("NOT_FOUND", "stream not found");
    return { stream, role: "publisher" };
  }
  return { stream: ctx.streams.getOrPatch(query, principal), role: "viewer" };
}
