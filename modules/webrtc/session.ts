/**
 * One peer: ICE finds the way, DTLS proves who is there, SRTP carries the media of a viewer or a publisher. Whatever ends
 * one of them ends all, and gives everything back.
 */
import { type Accel, preferredSrtpProfiles, SrtpReceiver, SrtpSender } from "../../core/mod.ts";
import { hostPort } from "./addresses.ts";
import type { Certificate } from "./certificate.ts";
import { type DtlsKeys, DtlsSession } from "./dtls.ts";
import type { IceHandlers, IceSession, IceState, RemoteCredentials } from "./ice.ts";
import type { IcePath } from "./ice_path.ts";
import type { MediaLink, PeerMedia } from "./peer_media.ts";

/** What a session of the table is doing. */
export type PeerState = "connecting" | "connected" | "closed";

/** What the peer's description says of the connection. */
export interface RemoteTransport extends RemoteCredentials {
  readonly fingerprint: { readonly algorithm: string; readonly value: string };
  /** We begin the handshake: the peer waits for it. */
  readonly isPassive: boolean;
}

/** What a session is made of. */
export interface PeerSessionOptions {
  readonly transport: { session(handlers: IceHandlers): IceSession };
  readonly certificate: Certificate;
  readonly accel: Accel;
  /** What it carries; its owner's to dispose of when the session has ended. */
  readonly media: PeerMedia;
  readonly onConnected: () => void;
  /** It is over, for this reason, which is for people; called once. */
  readonly onClosed: (reason: string) => void;
}

/** What SRTCP adds to a compound: its index, and the longest tag. */
const RTCP_OVERHEAD_BYTES = 4 + 16;

/** A secret that names a session in URLs. */
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** See the file's head. */
export class PeerSession implements IceHandlers, MediaLink {
  readonly id: string = randomId();
  readonly ice: IceSession;
  readonly createdMs: number = performance.now();
  readonly #options: PeerSessionOptions;
  #dtls: DtlsSession | undefined;
  #sender: SrtpSender | undefined;
  #receiver: SrtpReceiver | undefined;
  #keys: DtlsKeys | undefined;
  #path: IcePath | undefined;
  #state: PeerState = "connecting";
  #connectedMs = 0;
  #bytesSent = 0;
  #bytesReceived = 0;
  #reason = "";
  #hasFailed = false;

  constructor(options: PeerSessionOptions) {
    this.#options = options;
    this.ice = options.transport.session(this);
  }

  /** Takes what the peer's description says; once. */
  connect(remote: RemoteTransport): void {
    const { certificate, accel } = this.#options;
    this.ice.setRemote(remote);
    this.#dtls = new DtlsSession({
      certificate,
      role: remote.isPassive ? "client" : "server",
      remoteFingerprint: remote.fingerprint,
      profiles: preferredSrtpProfiles(accel),
      send: (bytes) => void this.ice.send(bytes),
      onConnected: (keys) => this.#onKeys(keys),
      // Until the handshake is over or has failed the session has a deadline: that of the handshake.
      onFailed: (reason) =>
        this.#fail(this.#path ? reason : "no check of the peer arrived, none of our candidates can be reached"),
      onClosed: () => this.close("the peer closed the connection"),
    });
  }

  get state(): PeerState {
    return this.#state;
  }
  get wasConnected(): boolean {
    return this.#connectedMs > 0;
  }
  /** It ended by itself, against the will of both sides. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }
  /** What the log calls it: not enough to close it. */
  get shortId(): string {
    return this.id.slice(0, 6);
  }
  /** Why it ended; `""` while it lives. */
  get reason(): string {
    return this.#reason;
  }
  get bytesReceived(): number {
    return this.#bytesReceived;
  }
  get bytesSent(): number {
    return this.#bytesSent;
  }
  get protocol(): "udp" | "tcp" {
    return this.#path?.protocol ?? "udp";
  }
  get bytesInFlight(): number {
    return this.ice.bytesInFlight;
  }
  get srtp(): SrtpSender {
    return this.#sender!;
  }

  /** `ip:port kind` of the peer; `undefined` until it is reached. */
  get remoteAddr(): string | undefined {
    const path = this.#path;
    return path && `${hostPort(path.remote.host, path.remote.port)} ${path.remoteKind}`;
  }

  sendBatch(bytes: Uint8Array, offsets: readonly number[]): number {
    const taken = this.ice.sendBatch(bytes, offsets);
    if (taken > 0) this.#bytesSent += (offsets[taken] ?? bytes.length) - offsets[0]!;
    return taken;
  }

  sendRtcp(packet: Uint8Array): void {
    if (!this.#sender) return;
    const out = new Uint8Array(packet.length + RTCP_OVERHEAD_BYTES);
    const size = this.#sender.protectRtcp(packet, out);
    if (size > 0) this.ice.send(out.subarray(0, size));
  }

  #onKeys(keys: DtlsKeys): void {
    if (this.#state !== "connecting") return;
    const { accel, media, onConnected } = this.#options;
    this.#keys = keys;
    this.#sender = new SrtpSender(keys.profile, keys.localKey, keys.localSalt, { accel });
    this.#receiver = new SrtpReceiver(keys.profile, keys.remoteKey, keys.remoteSalt, { accel });
    this.#state = "connected";
    this.#connectedMs = performance.now();
    onConnected();
    media.start(this);
  }

  onSelected(path: IcePath): void {
    const isFirst = this.#path === undefined;
    this.#path = path;
    if (isFirst) this.#dtls?.retry();
    else this.#options.media.onPathChanged();
  }

  onData(bytes: Uint8Array, path: IcePath): void {
    const first = bytes[0]!;
    if (first < 64) return this.#dtls?.receive(bytes);
    const receiver = this.#receiver;
    if (!receiver || bytes.length < 12) return;
    const { media } = this.#options;
    const nowMs = performance.now();
    const second = bytes[1]!;
    // RFC 5761 §4: the types of RTCP.
    if (second >= 192 && second <= 223) {
      const packet = receiver.unprotectRtcp(bytes);
      if (!packet) return;
      this.ice.heard(path, nowMs);
      media.onRtcp(packet, nowMs);
      return;
    }
    const packet = receiver.unprotect(bytes);
    if (!packet) return;
    this.#bytesReceived += packet.length;
    this.ice.heard(path, nowMs);
    media.onRtp(packet, nowMs);
  }

  onState(state: IceState): void {
    if (this.#state === "connected") this.#options.media.setPaused(state === "paused");
  }

  onDrained(): void {
    if (this.#state === "connected") this.#options.media.onDrained();
  }

  /** ICE is told that the peer is gone. */
  onClosed(reason: string): void {
    this.#fail(reason);
  }

  #fail(reason: string): void {
    this.#hasFailed = true;
    this.close(reason);
  }

  /** Ends the session and gives back all that it has. */
  close(reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#reason = reason;
    this.#dtls?.close();
    this.ice.close();
    this.#sender?.[Symbol.dispose]();
    this.#receiver?.[Symbol.dispose]();
    this.#options.onClosed(reason);
  }

  /** Figures for people (`/api/webrtc/stats`). */
  stats(): Readonly<Record<string, unknown>> {
    const path = this.#path;
    return {
      state: this.#state,
      age_ms: Math.round(performance.now() - this.createdMs),
      ...(this.#connectedMs > 0 ? { connect_ms: Math.round(this.#connectedMs - this.createdMs) } : {}),
      ...(path
        ? {
          path: `${path.protocol} ${hostPort(path.local.host, path.local.port)} ${this.remoteAddr}`,
          local: localKind(path),
          ...(path.rttMs === undefined ? {} : { rtt_ms: Math.round(path.rttMs * 10) / 10 }),
          silent_ms: Math.round(performance.now() - this.ice.lastHeardMs),
          packets_sent: path.packetsSent,
          packets_dropped: path.packetsDropped,
        }
        : {}),
      ...(this.#dtls && this.#dtls.dropped > 0 ? { handshake_dropped: this.#dtls.dropped } : {}),
      ...(this.#keys ? { srtp: this.#keys.profile, backend: this.#sender!.backend } : {}),
      ...(this.#receiver ? { received: { ...this.#receiver.stats } } : {}),
      ...this.#options.media.stats(),
    };
  }
}

// A NAT in between gives us another address.
function localKind({ isRelayed, local, seenAs }: IcePath): "host" | "srflx" | "relay" {
  if (isRelayed) return "relay";
  return !seenAs || (seenAs.host === local.host && seenAs.port === local.port) ? "host" : "srflx";
}
