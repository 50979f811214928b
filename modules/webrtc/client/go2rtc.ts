import { StreamError } from "../../../core/mod.ts";
import { type Dial, followSocket, textOf, WATCH_ANY } from "./dial.ts";
import type { OfferedLine } from "./offer.ts";
import { SignalSocket } from "./socket.ts";

const LINES: readonly OfferedLine[] = [...WATCH_ANY, { kind: "audio", direction: "sendonly", isWide: true }];

/** The `webrtc/offer` of `/api/ws` (contract §4.3), as we and go2rtc serve it; both ways trickle. */
export const dialGo2rtc: Dial = async (dialing) => {
  const { target, peer, signal } = dialing;
  using socket = await SignalSocket.open(target, signal);
  socket.send({ type: "webrtc/offer", value: await peer.offer(LINES, false) });
  peer.trickle((candidate) => socket.send({ type: "webrtc/candidate", value: candidate }));
  const onCandidate = ({ type, value }: Readonly<Record<string, unknown>>) => {
    if (type === "webrtc/candidate") peer.addCandidate(textOf(value));
  };
  let answer = await socket.next(signal);
  for (; answer.type !== "webrtc/answer"; answer = await socket.next(signal)) {
    if (answer.type !== "webrtc/candidate") {
      const why = textOf(answer.value) || `message "${textOf(answer.type)}" in place of an answer`;
      throw new StreamError("REFUSED", `webrtc: ${target.shown}: ${why}`);
    }
    onCandidate(answer);
  }
  peer.takeAnswer(textOf(answer.value), LINES);
  await followSocket(dialing, socket, onCandidate);
  return undefined;
};
