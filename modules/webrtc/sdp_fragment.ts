/** Pieces of a description that follow it over HTTP: candidates, and credentials when ICE begins anew (RFC 8840, RFC 9725). */
import { OFFER_LIMIT } from "./sdp.ts";

/** What a peer adds to its description. */
export interface SdpFragment {
  /** Absent: those of before hold. */
  readonly credentials?: { readonly ufrag: string; readonly pwd: string };
  /** Lines (`candidate:…`). */
  readonly candidates: readonly string[];
}

/** Reads a fragment; what it does not know is passed over. */
export function readFragment(text: string): SdpFragment {
  const find = (key: string) => new RegExp(`^a=${key}:([!-~]{4,256})\\s*$`, "im").exec(text)?.[1];
  const [ufrag, pwd] = [find("ice-ufrag"), find("ice-pwd")];
  const candidates = [...text.matchAll(/^a=(candidate:.*)$/gim)].map(([, line = ""]) => line.trim());
  return {
    ...(ufrag !== undefined && pwd !== undefined ? { credentials: { ufrag, pwd } } : {}),
    candidates: candidates.filter(({ length }) => length <= OFFER_LIMIT.candidateBytes).slice(
      0,
      OFFER_LIMIT.candidates,
    ),
  };
}

/** Writes ours, for the first line that was taken. */
export function writeFragment(
  fragment: {
    readonly ufrag: string;
    readonly pwd: string;
    readonly mid: string;
    readonly candidates: readonly string[];
  },
): string {
  return [
    `a=ice-ufrag:${fragment.ufrag}`,
    `a=ice-pwd:${fragment.pwd}`,
    "m=audio 9 UDP/TLS/RTP/SAVPF 0",
    `a=mid:${fragment.mid}`,
    ...fragment.candidates.map((candidate) => `a=${candidate}`),
    "a=end-of-candidates",
    "",
  ].join("\r\n");
}
