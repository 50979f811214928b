import {
  jsonResponse,
  parseStart,
  type RouteRequest,
  StreamError,
  type StreamHandle,
  textResponse,
} from "../../core/mod.ts";
import type { PluginContext } from "../../core/mod.ts";
import { type IceServer, iceServerLinks } from "./options.ts";
import type { Offer, OfferTarget } from "./offer.ts";
import { readFragment, type SdpFragment } from "./sdp_fragment.ts";

/** What answers offers. */
export interface Answering {
  /** Makes a session of an offer and answers when it can be told to the peer. Rejects in the contract's words. */
  accept(offer: Offer): Promise<Answered>;
  find(id: string): Answered | undefined;
  readonly iceServers: readonly IceServer[];
}

/** A session as signalling sees it. */
export interface Answered {
  /** A secret: who knows it may close the session. */
  readonly id: string;
  /** The answer's text; with candidates unless they are sent one by one. */
  readonly answer: string;
  /** Names the credentials of ICE that hold now. */
  readonly etag: string;
  /** A candidate of the peer, as its line has it; an empty one is the end. */
  addCandidate(text: string): void;
  /** A piece of the peer's description. Answers ours when the peer begins ICE anew. */
  amend(fragment: SdpFragment): string | undefined;
  /** Calls back with our candidates, those there are at once. */
  onCandidate(tell: (text: string) => void): void;
  close(reason: string): void;
}

/** The largest offer. */
export const MAX_SDP_BYTES = 64 << 10;

const SDP_TYPE = "application/sdp";
const FORM_TYPE = "application/x-www-form-urlencoded";
const FRAGMENT_TYPE = "application/trickle-ice-sdpfrag";

/** `/api/webrtc`: WHEP, WHIP, and the older forms of an offer over HTTP (contract §3.9). */
export function serveHttp(
  ctx: PluginContext,
  answering: () => Promise<Answering>,
  iceServers: readonly IceServer[],
): void {
  const camera = (query: URLSearchParams) => query.get("src");
  ctx.http.post("/api/webrtc", {
    summary: "Answers a WebRTC offer: WHEP with src, WHIP with dst",
    needs: "watch",
    camera,
    query: { src: "The stream to watch", dst: "The stream to publish to" },
    responses: {
      200: "The answer, for JSON, form and plain offers",
      201: "The answer, for WHEP and WHIP",
      400: "The body is no offer, or neither src nor dst is there",
      404: "There is no such stream",
      406: "WHEP and WHIP: the camera has no codec that the peer takes; the text names both sides'",
    },
    maxBodyBytes: MAX_SDP_BYTES * 2,
  }, async (call) => {
    const { query, principal } = call;
    const [src, dst] = [query.get("src"), query.get("dst")];
    const name = src || dst;
    if (!name) return textResponse(400, "Query without src or dst: write the stream's name into one of them");
    const stream = ctx.streams.get(name, principal);
    if (!stream) return textResponse(404, "stream not found");
    return await (src ? postToWatch(call, stream, await answering()) : postToPublish(call, stream, await answering()));
  });
  ctx.http.delete("/api/webrtc", {
    summary: "Ends a WHEP or WHIP session",
    needs: "watch",
    camera,
    query: { id: "The session, from the Location header" },
    responses: { 400: "Without id", 404: "There is no such session" },
  }, async ({ query }) => {
    const id = query.get("id");
    if (!id) return textResponse(400, "Query without id");
    const session = (await answering()).find(id);
    if (!session) return textResponse(404, "session not found");
    session.close("the peer ended the session");
    return new Response(null, { status: 200 });
  });
  ctx.http.patch("/api/webrtc", {
    summary: "Adds candidates to a WHEP or WHIP session, or begins its ICE anew (RFC 8840)",
    needs: "watch",
    camera,
    query: { id: "The session, from the Location header" },
    responses: {
      200: "ICE begins anew, with these credentials",
      204: "The candidates were added",
      404: "There is no such session",
      405: "Without id",
      412: "If-Match names credentials that do not hold any more",
    },
    maxBodyBytes: MAX_SDP_BYTES,
  }, async ({ query, request }) => {
    const id = query.get("id");
    if (!id) return textResponse(405, "Method not allowed");
    const session = (await answering()).find(id);
    if (!session) return textResponse(404, "session not found");
    if (typeOf(request) !== FRAGMENT_TYPE) return textResponse(415, `Expected ${FRAGMENT_TYPE}`);
    const known = request.headers.get("if-match");
    if (known && known !== "*" && known !== session.etag) return textResponse(412, "The session has other credentials");
    const answer = session.amend(readFragment(await request.text()));
    if (answer === undefined) return new Response(null, { status: 204 });
    return new Response(answer, { headers: { "content-type": FRAGMENT_TYPE, etag: session.etag } });
  });
  ctx.http.any("/api/webrtc", { summary: "What can be sent here", needs: "public" }, (call) => {
    const headers = { allow: "POST, PATCH, DELETE, OPTIONS", "accept-post": SDP_TYPE };
    if (call.request.method !== "OPTIONS") return textResponse(405, "Method not allowed", headers);
    return new Response(null, { status: 204, headers: { ...headers, ...linkTo(serversFor(call, iceServers)) } });
  });
}

/** The type of a body, in lower case, without parameters. */
function typeOf(request: Request): string {
  return (request.headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
}

function linkTo(iceServers: readonly IceServer[]): { link?: string } {
  const link = iceServerLinks(iceServers);
  return link === "" ? {} : { link };
}

// Before an offer: logins are for those who may make one (RFC 9725 §4.6).
function serversFor({ query, principal }: RouteRequest, servers: readonly IceServer[]): readonly IceServer[] {
  const [src, dst] = [query.get("src"), query.get("dst")];
  const isAllowed = src ? principal.can("watch", src) : dst ? principal.can("publish", dst) : false;
  return isAllowed ? servers : servers.filter(({ username }) => username === undefined);
}

async function postToWatch(call: RouteRequest, stream: StreamHandle, answering: Answering): Promise<Response> {
  const type = typeOf(call.request);
  const accept = (sdp: string, formatName: string) =>
    answering.accept(offerOf(call, stream, "either", formatName, sdp));
  switch (type) {
    case "application/json": {
      const { answer } = await accept(sdpOfJson(await call.request.text()), "webrtc/json");
      return jsonResponse({ sdp: answer, type: "answer" });
    }
    case SDP_TYPE: {
      const sdp = await call.request.text();
      return await created(answering, offerOf(call, stream, "either", "webrtc/whep", sdp));
    }
    case FORM_TYPE: {
      const { answer } = await accept(sdpOfForm(await call.request.text()), "webrtc/post");
      return new Response(btoa(answer), { headers: { "content-type": FORM_TYPE } });
    }
    default: {
      const { answer } = await accept(await call.request.text(), "webrtc/post");
      return new Response(new TextEncoder().encode(answer), { headers: { "content-type": type } });
    }
  }
}

async function postToPublish(call: RouteRequest, stream: StreamHandle, answering: Answering): Promise<Response> {
  const sdp = await call.request.text();
  return await created(answering, offerOf(call, stream, "publisher", "webrtc", sdp));
}

async function created(answering: Answering, offer: Offer): Promise<Response> {
  let session: Answered;
  try {
    session = await answering.accept(offer);
  } catch (error) {
    // Nothing is broken: what the camera has is no use to this peer.
    if (error instanceof StreamError && error.code === "NO_COMMON_CODEC") return textResponse(406, error.message);
    throw error;
  }
  const { id, answer, etag } = session;
  const { iceServers } = answering;
  return new Response(answer, {
    status: 201,
    headers: { "content-type": SDP_TYPE, location: `webrtc?id=${id}`, etag, ...linkTo(iceServers) },
  });
}

/** An offer that came with an HTTP request. */
export function offerOf(
  call: RouteRequest,
  stream: StreamHandle,
  role: OfferTarget["role"],
  formatName: string,
  sdp: string,
): Offer {
  return {
    sdp,
    target: { stream, role },
    principal: call.principal,
    formatName,
    protocol: "http",
    remoteAddr: call.remoteAddr,
    userAgent: call.request.headers.get("user-agent") ?? "",
    isTrickle: false,
    start: parseStart(call.query.get("start")),
    signal: call.request.signal,
  };
}

function sdpOfJson(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new StreamError("BAD_SOURCE", `Cannot read the offer: ${(error as Error).message}`);
  }
  return sdpOfValue(value);
}

/** The text of `{"type": "offer", "sdp": "…"}`. */
export function sdpOfValue(value: unknown): string {
  const { type, sdp } = (value ?? {}) as { type?: unknown; sdp?: unknown };
  if (typeof sdp === "string" && (type === "offer" || type === undefined)) return sdp;
  throw new StreamError("BAD_SOURCE", 'Cannot read the offer: expected {"type": "offer", "sdp": "v=0…"}');
}

/** The text in the field `data` of a form, in base64. */
export function sdpOfForm(text: string): string {
  try {
    return atob((new URLSearchParams(text).get("data") ?? "").replace(/ /g, "+"));
  } catch {
    throw new StreamError("BAD_SOURCE", "Cannot read the offer: expected a form with data=<base64>");
  }
}
