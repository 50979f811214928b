/** WebRTC servers and cameras as sources (`webrtc:`). */
import { type Accel, type OpenIo, type Producer, type SourceUrl, StreamError, timeLimit } from "../../../core/mod.ts";
import { makeCertificate } from "../certificate.ts";
import type { IceTransport } from "../ice_transport.ts";
import type { IceServer } from "../options.ts";
import { dialCreality } from "./creality.ts";
import type { Dial } from "./dial.ts";
import { dialGo2rtc } from "./go2rtc.ts";
import { dialKinesis, dialSwitchbot, dialWyze } from "./kinesis.ts";
import { dialMilestone } from "./milestone.ts";
import type { OpenSource } from "./open_sources.ts";
import { dialOpenIpc } from "./openipc.ts";
import { ClientPeer } from "./peer.ts";
import { WebRtcProducer } from "./producer.ts";
import { type ClientFormat, parseClientTarget } from "./target.ts";
import { SourceTransport } from "./transport.ts";
import { dialWhep } from "./whep.ts";

/** What connections are made of. */
export interface ClientMeans {
  /** Opens sockets for one source, which closes them. */
  readonly openTransport: (wants: { readonly isLocal: boolean }) => Promise<IceTransport>;
  /** The config's, for the kinds of signalling that name none. */
  readonly iceServers: readonly IceServer[];
  readonly accel: Accel;
  /** The sources that are connected or connecting, or have not given back all yet. */
  readonly sources: Set<OpenSource>;
}

/** Signalling, the way through NATs, and the handshake. */
const CONNECT_MS = 30_000;

const DIALS: Readonly<Record<ClientFormat, Dial>> = {
  whep: dialWhep,
  go2rtc: dialGo2rtc,
  kinesis: dialKinesis,
  switchbot: dialSwitchbot,
  wyze: dialWyze,
  openipc: dialOpenIpc,
  creality: dialCreality,
  milestone: dialMilestone,
};

/** Their servers name no ICE servers before the offer: the config's serve (contract: webrtc-formats). */
const NAMELESS: readonly ClientFormat[] = ["whep", "go2rtc", "creality"];

/** Connects to a source and learns what it sends. */
export async function openWebRtcSource(source: SourceUrl, io: OpenIo, means: ClientMeans): Promise<Producer> {
  const target = parseClientTarget(source);
  const late = () => new StreamError("TIMEOUT", `webrtc: ${target.shown} did not connect in ${CONNECT_MS / 1000} s`);
  using limit = timeLimit(CONNECT_MS, late, io.signal);
  const certificate = await makeCertificate();
  const ice = await means.openTransport({ isLocal: target.isLocal });
  const transport = new SourceTransport({
    ice,
    isRelayOnly: target.isRelayOnly,
    warn: (message) => io.log.limited("relay", "warn", message, { stream: io.stream }),
    signal: limit.signal,
  });
  const peer = new ClientPeer({ certificate, accel: means.accel, transport });
  const open: OpenSource = { stream: io.stream, url: target.shown, peer };
  means.sources.add(open);
  peer.released.then(() => means.sources.delete(open));
  let leave: (() => Promise<void>) | undefined;
  try {
    peer.useServers(target.iceServers ?? (NAMELESS.includes(target.format) ? means.iceServers : []));
    leave = await DIALS[target.format]({ target, peer, signal: limit.signal });
    return await WebRtcProducer.of(target, leave ? { peer, leave } : { peer }, limit.signal);
  } catch (error) {
    peer[Symbol.dispose]();
    leave?.();
    throw error;
  }
}
