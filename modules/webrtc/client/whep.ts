import { readIceServerLinks } from "../options.ts";
import { type Dial, type Dialing, untilConnected, WATCH_ANY } from "./dial.ts";
import { ask } from "./requests.ts";

/** WHEP (draft-ietf-wish-whep): a complete offer, a complete answer, and a resource that is deleted in the end. */
export const dialWhep: Dial = async (dialing) => {
  const { target, peer, signal } = dialing;
  const { url } = target;
  const answer = await ask(target, {
    method: "POST",
    url,
    headers: { "content-type": "application/sdp" },
    body: await peer.offer(WATCH_ANY, true),
    signal,
  }, [200, 201]);
  const location = answer.headers.get("location");
  const named = location === null ? null : URL.parse(location, url);
  // A login is shown to the server that was asked only.
  const resource = named?.origin === url.origin ? named : undefined;
  const leave = async () => {
    if (!resource) return;
    try {
      await ask(target, { method: "DELETE", url: resource, signal: AbortSignal.timeout(2000) }, [200, 202, 204]);
    } catch {
      // It has gone by itself, or does not know the method: the media has ended all the same.
    }
  };
  try {
    peer.useServers(readIceServerLinks(answer.headers.get("link")));
    peer.takeAnswer(answer.text, WATCH_ANY);
    if (resource) patchCandidates(dialing, resource, answer.headers.get("etag"));
    await untilConnected(peer, signal);
  } catch (error) {
    await leave();
    throw error;
  }
  return leave;
};

// Candidates that came too late for the offer: those that the answer's servers tell, for example.
function patchCandidates({ target, peer, signal }: Dialing, url: URL, etag: string | null): void {
  const waiting: string[] = [];
  const send = async () => {
    const headers = {
      "content-type": "application/trickle-ice-sdpfrag",
      ...(etag === null ? {} : { "if-match": etag }),
    };
    const body = peer.fragment(waiting.splice(0));
    try {
      await ask(target, { method: "PATCH", url, headers, body, signal }, [200, 204]);
    } catch {
      // Most servers know no PATCH; they find us by our checks.
    }
  };
  peer.trickle((candidate) => {
    if (waiting.push(candidate) === 1) queueMicrotask(send);
  });
}
