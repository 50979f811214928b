/** Amazon Kinesis Video Streams and what is built upon it: SwitchBot's cameras, and the Wyze bridge. */
import { StreamError } from "../../../core/mod.ts";
import { readIceServers } from "../options.ts";
import { type Dial, type Dialing, followSocket, textOf, WATCH } from "./dial.ts";
import type { OfferedLine } from "./offer.ts";
import { ask, jsonOf } from "./requests.ts";
import { SignalSocket } from "./socket.ts";
import type { ClientTarget } from "./target.ts";

const QUALITIES: Readonly<Record<string, number>> = { hd: 0, sd: 1, auto: 2 };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Viewers of a signalling channel; the URL is signed by the user. */
export const dialKinesis: Dial = async (dialing) => {
  const { target } = dialing;
  const clientId = target.options.get("client_id");
  if (!clientId) {
    throw new StreamError("BAD_SOURCE", "webrtc: kinesis needs #client_id=<id>, the one that the URL was signed for");
  }
  await follow(dialing, target, clientId, WATCH, {});
  return undefined;
};

/** The same, with pictures only and how good they are to be. */
export const dialSwitchbot: Dial = async (dialing) => {
  const { target } = dialing;
  const { options } = target;
  const quality = options.get("resolution") ?? "hd";
  const resolution = QUALITIES[quality];
  if (resolution === undefined) {
    throw new StreamError(
      "BAD_SOURCE",
      `webrtc: resolution "${quality}" is not one of ${Object.keys(QUALITIES).join(", ")}`,
    );
  }
  const extra = { resolution, play_type: Number(options.get("play_type")) || 0 };
  await follow(dialing, target, options.get("client_id") ?? "", WATCH.slice(0, 1), extra);
  return undefined;
};

/** The bridge for Wyze cameras tells where the channel is. */
export const dialWyze: Dial = async (dialing) => {
  const { target, peer, signal } = dialing;
  const { text } = await ask(target, { method: "GET", url: target.url, signal, limitMs: 5000 });
  const { ClientId, result, servers, signalingUrl } = jsonOf(text, `the answer of ${target.shown}`);
  if (result !== "ok") throw new StreamError("REFUSED", `webrtc: ${target.shown} answered "${textOf(result)}"`);
  const url = URL.parse(textOf(signalingUrl));
  if (url?.protocol !== "ws:" && url?.protocol !== "wss:") {
    throw new StreamError("PROTOCOL", `webrtc: ${target.shown} names no signalling URL`);
  }
  peer.useServers(readIceServers(servers));
  const channel = { ...target, url, shown: `${url.origin}${url.pathname}`, authorization: undefined };
  await follow(dialing, channel, textOf(ClientId), WATCH, {});
  return undefined;
};

async function follow(
  dialing: Dialing,
  channel: ClientTarget,
  clientId: string,
  lines: readonly OfferedLine[],
  extra: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { peer, signal } = dialing;
  using socket = await SignalSocket.open(channel, signal);
  const send = (action: string, payload: unknown) => {
    const messagePayload = encoder.encode(JSON.stringify(payload)).toBase64();
    socket.send({ action, recipientClientId: clientId, messagePayload });
  };
  send("SDP_OFFER", { type: "offer", sdp: await peer.offer(lines, false), ...extra });
  peer.trickle((candidate) => send("ICE_CANDIDATE", { candidate, sdpMid: "0", sdpMLineIndex: 0 }));
  const onCandidate = ({ messageType, messagePayload }: Readonly<Record<string, unknown>>) => {
    if (messageType === "ICE_CANDIDATE") peer.addCandidate(textOf(payloadOf(messagePayload).candidate));
  };
  let answer = await socket.next(signal);
  for (; answer.messageType !== "SDP_ANSWER"; answer = await socket.next(signal)) onCandidate(answer);
  peer.takeAnswer(textOf(payloadOf(answer.messagePayload).sdp), lines);
  await followSocket(dialing, socket, onCandidate);
}

function payloadOf(value: unknown): Readonly<Record<string, unknown>> {
  try {
    return jsonOf(decoder.decode(Uint8Array.fromBase64(textOf(value))), "the payload of a message");
  } catch {
    // The service cuts messages; another of the kind follows, or the time is over.
    return {};
  }
}
