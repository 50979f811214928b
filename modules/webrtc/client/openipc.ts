import { type Dial, followSocket, textOf } from "./dial.ts";
import { SignalSocket } from "./socket.ts";

function dataOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Readonly<Record<string, unknown>> : {};
}

/**
 * Quirk(OpenIPC firmware): the camera makes the offer, and calls it `webrtc_answer`; we answer it, and say nothing before.
 */
export const dialOpenIpc: Dial = async (dialing) => {
  const { target, peer, signal } = dialing;
  using socket = await SignalSocket.open(target, signal);
  const onCandidate = ({ reply, data }: Readonly<Record<string, unknown>>) => {
    if (reply === "webrtc_candidate") peer.addCandidate(textOf(dataOf(data).candidate));
  };
  let offer = await socket.next(signal);
  for (; offer.reply !== "webrtc_answer"; offer = await socket.next(signal)) onCandidate(offer);
  socket.send({ req: "answer", data: await peer.takeOffer(textOf(dataOf(offer.data).sdp), false) });
  peer.trickle((candidate) => socket.send({ req: "candidate", data: candidate }));
  await followSocket(dialing, socket, onCandidate);
  return undefined;
};
