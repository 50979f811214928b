import { redactUrls } from "../../../core/mod.ts";
import type { ClientPeer } from "./peer.ts";

/** A source as the module knows it. */
export interface OpenSource {
  readonly stream: string;
  /** Without what is secret. */
  readonly url: string;
  readonly peer: ClientPeer;
}

/** Figures of the sources, for people (`/api/webrtc/stats`). */
export function sourceStats(sources: Iterable<OpenSource>): Readonly<Record<string, unknown>>[] {
  return [...sources].filter(({ peer }) => peer.session.state !== "closed")
    .map(({ stream, url, peer: { session } }) => ({ stream: redactUrls(stream), url, ...session.stats() }));
}
