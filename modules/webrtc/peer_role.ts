import type { Media } from "../../core/mod.ts";
import type { PeerMedia } from "./peer_media.ts";
import type { OfferSdp, OfferSection } from "./sdp.ts";
import type { AcceptedLine } from "./sdp_answer.ts";
import type { PeerSession } from "./session.ts";

/** What a peer is to a stream: a viewer or a publisher. Disposing of it leaves the stream. */
export interface PeerRole extends Disposable {
  /** What the answer says of the lines that were taken, by their place in the offer. */
  readonly lines: ReadonlyMap<number, AcceptedLine>;
  readonly media: PeerMedia;
  /** Takes the session that carries its media. Throws a `StreamError` when the stream has let it go meanwhile. */
  join(session: PeerSession): void;
}

/** The line of an offer that a media was made of. */
export function sectionOf({ sections }: OfferSdp, media: Media): OfferSection {
  return sections.find(({ mid }) => mid === media.id)!;
}
