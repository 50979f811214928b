import type { Principal, Start, StreamHandle } from "../../core/mod.ts";
import type { IceServer } from "./options.ts";

/** What an offer is for. */
export interface OfferTarget {
  readonly stream: StreamHandle;
  /** `either`: the peer watches, unless it sends pictures and wants none. */
  readonly role: "viewer" | "publisher" | "either";
}

/** An offer as signalling brings it. */
export interface Offer {
  readonly sdp: string;
  readonly target: OfferTarget;
  readonly principal: Principal;
  /** How the session is called in `/api/streams` (contract §3.5.1). */
  readonly formatName: string;
  readonly protocol: "ws" | "http";
  /** Where the signalling came from. */
  readonly remoteAddr: string;
  readonly userAgent: string;
  /** Our candidates are sent one by one, not in the answer. */
  readonly isTrickle: boolean;
  /** In place of the config's servers. */
  readonly iceServers?: readonly IceServer[];
  /** Where a viewer starts, if its query says so. */
  readonly start?: Start | undefined;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}
