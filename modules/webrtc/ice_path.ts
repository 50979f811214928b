/** A way to one peer: what a session sends over, whatever carries it. */
import { type IpBytes, parseIp, type SocketAddress } from "../../core/mod.ts";
import type { Candidate, IceProtocol } from "./candidates.ts";
import { TokenBucket } from "./ice_limits.ts";

/** What a path belongs to: the session whose check came over it. */
export interface PathOwner {
  /** DTLS, RTP or RTCP. The bytes are the owner's: they stay valid and may be changed in place. */
  onData(bytes: Uint8Array, path: IcePath): void;
  /** Nothing is in flight any more. */
  onDrained(path: IcePath): void;
  /** The other side ended a connection, or took nothing for too long. */
  onPathEnd(path: IcePath): void;
  /** The path is another session's now, or its address of ours is gone. */
  onPathLost(path: IcePath): void;
}

/** Checks of one path: browsers send a few in a second, and more while they connect. */
const CHECKS_PER_SECOND = 50;
const CHECK_BURST = 100;
const NOBODY = new Uint8Array(4);
let lastId = 0;

/** One address of ours and one of the peer's, over UDP or a TCP connection. */
export abstract class IcePath {
  readonly protocol: IceProtocol;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly remoteIp: IpBytes;
  /** A server in between carries it. */
  readonly isRelayed: boolean = false;
  /** Tells paths apart; never used twice. */
  readonly id: number = ++lastId;
  readonly checks: TokenBucket = new TokenBucket(CHECKS_PER_SECOND, CHECK_BURST);
  owner: PathOwner | undefined;
  /** When something authentic came, as `performance.now()`. */
  heardMs = -Infinity;
  /** The peer has sent a check. */
  wasChecked = false;
  /** The peer answered a check of ours. */
  isConfirmed = false;
  /** How the peer sees us, once it has answered a check of ours. */
  seenAs: SocketAddress | undefined;
  /** How long the last answer to a check of ours took; `undefined` until there is one. */
  rttMs: number | undefined;
  /** What kind of address the peer's is: `host`, `srflx`, `relay`, or `prflx` when no candidate told of it. */
  remoteKind: Candidate["type"] = "prflx";
  /** The peer wants this path, but we are not yet sure that it is there. */
  isWanted = false;
  /** Checks of ours that were sent to find out. */
  probes = 0;
  bytesSent = 0;
  packetsSent = 0;
  /** Packets that were not sent, since too much was in flight or the system refused them. */
  packetsDropped = 0;

  constructor(protocol: IceProtocol, local: SocketAddress, remote: SocketAddress) {
    this.protocol = protocol;
    this.local = local;
    this.remote = remote;
    this.remoteIp = parseIp(remote.host) ?? NOBODY;
  }

  /** Bytes that the system has not taken yet. */
  abstract get bytesInFlight(): number;
  abstract get isClosed(): boolean;
  /**
   * Sends one packet; its bytes must not change while they are in flight. False: it was dropped, since too much is. STUN
   * messages have a little more room.
   */
  abstract send(packet: Uint8Array): boolean;
  /**
   * Sends the packets of a frame, which begin at `offsets` and follow one another to the end of `bytes`. Answers how many
   * were taken, from the first on; the others are dropped. The bytes must not change while they are in flight.
   */
  abstract sendBatch(bytes: Uint8Array, offsets: readonly number[]): number;
  /** Forgets the peer, and ends the connection if there is one. */
  abstract close(): void;
}
