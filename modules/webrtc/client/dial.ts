import type { OfferedLine } from "./offer.ts";
import type { ClientPeer } from "./peer.ts";
import type { SignalSocket } from "./socket.ts";
import type { ClientTarget } from "./target.ts";

/** What a kind of signalling works with. */
export interface Dialing {
  readonly target: ClientTarget;
  readonly peer: ClientPeer;
  readonly signal: AbortSignal;
}

/** Brings the descriptions across, until the peer is connected; answers how to take leave, where there is a way. */
export type Dial = (dialing: Dialing) => Promise<(() => Promise<void>) | undefined>;

/** Pictures and sound, as every kind of server is asked for them. */
export const WATCH: readonly OfferedLine[] = [
  { kind: "video", direction: "recvonly" },
  { kind: "audio", direction: "recvonly" },
];
/** The same, of servers that have whatever their cameras have. */
export const WATCH_ANY: readonly OfferedLine[] = WATCH.map((line) => ({ ...line, isWide: true }));

/** Candidates travel while the connection is made; when it is made, the socket is of no more use. */
export async function followSocket(
  { peer, signal }: Dialing,
  socket: SignalSocket,
  onMessage: (message: Readonly<Record<string, unknown>>) => void,
): Promise<void> {
  const end = new AbortController();
  const onAbort = () => end.abort();
  signal.addEventListener("abort", onAbort, { once: true });
  const following = (async () => {
    try {
      for (;;) onMessage(await socket.next(end.signal));
    } catch {
      // The other side may close it as soon as it has said all; whether there is a connection is told by the peer.
    }
  })();
  try {
    await untilConnected(peer, signal);
  } finally {
    signal.removeEventListener("abort", onAbort);
    end.abort();
    await following;
  }
}

/** Waits until a peer is connected. */
export async function untilConnected(peer: ClientPeer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([peer.connected, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** A text of a message; `""` where there is none. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
