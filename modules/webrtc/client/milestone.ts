import { StreamError } from "../../../core/mod.ts";
import { type Dial, textOf, untilConnected } from "./dial.ts";
import { ask, jsonOf } from "./requests.ts";
import type { ClientTarget } from "./target.ts";

/** Milestone XProtect: a token, a session with the server's offer in it, our answer. */
export const dialMilestone: Dial = async ({ target, peer, signal }) => {
  const { options } = target;
  const cameraId = options.get("cameraId");
  if (!cameraId) throw new StreamError("BAD_SOURCE", "webrtc: milestone needs #cameraId=<id of the camera>");
  const login = await ask(target, {
    method: "POST",
    url: under(target, "/IDP/connect/token"),
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      client_id: "GrantValidatorClient",
      grant_type: "password",
      username: options.get("username") ?? "",
      password: options.get("password") ?? "",
    }).toString(),
    signal,
  });
  const token = textOf(jsonOf(login.text, "the token of the server").access_token);
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const body = JSON.stringify(sessionRequest(target, cameraId));
  const session = await ask(
    target,
    { method: "POST", url: under(target, "/REST/v1/WebRTC/Session"), headers, body, signal },
    [200, 201],
  );
  const { sessionId, offerSDP } = jsonOf(session.text, "the session of the server");
  const offer = jsonOf(textOf(offerSDP), "the offer of the server");
  const answerSDP = JSON.stringify({ type: "answer", sdp: await peer.takeOffer(textOf(offer.sdp), true) });
  const url = under(target, `/REST/v1/WebRTC/Session/${encodeURIComponent(textOf(sessionId))}`);
  await ask(target, { method: "PATCH", url, headers, body: JSON.stringify({ answerSDP }), signal }, [200, 204]);
  await untilConnected(peer, signal);
  return undefined;
};

function under({ url }: ClientTarget, path: string): URL {
  return new URL(url.origin + url.pathname.replace(/\/+$/, "") + path);
}

function sessionRequest({ options }: ClientTarget, cameraId: string): Readonly<Record<string, unknown>> {
  const streamId = options.get("streamId");
  const playbackTime = options.get("playbackTime");
  const speed = Number(options.get("speed"));
  return {
    cameraId,
    ...(streamId ? { streamId } : {}),
    playbackTimeNode: {
      ...(playbackTime ? { playbackTime } : {}),
      ...(options.has("skipGaps") ? { skipGaps: true } : {}),
      ...(speed ? { speed } : {}),
    },
  };
}
