import { type Dial, untilConnected, WATCH_ANY } from "./dial.ts";
import { ask } from "./requests.ts";

/** WHEP (draft-ietf-wish-whep): a complete offer, a complete answer, and a resource that is deleted in the end. */
export const dialWhep: Dial = async ({ target, peer, signal }) => {
  const { url } = target;
  const answer = await ask(target, {
    method: "POST",
    url,
    headers: { "content-type": "application/sdp" },
    body: await peer.offer(WATCH_ANY, true),
    signal,
  }, [200, 201]);
  const location = answer.headers.get("location");
  const resource = location === null ? null : URL.parse(location, url);
  const leave = async () => {
    // A login is shown to the server that was asked only.
    if (!resource || resource.origin !== url.origin) return;
    try {
      await ask(target, { method: "DELETE", url: resource, signal: AbortSignal.timeout(2000) }, [200, 202, 204]);
    } catch {
      // It has gone by itself, or does not know the method: the media has ended all the same.
    }
  };
  try {
    peer.takeAnswer(answer.text, WATCH_ANY);
    await untilConnected(peer, signal);
  } catch (error) {
    await leave();
    throw error;
  }
  return leave;
};
