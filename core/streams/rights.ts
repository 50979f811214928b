import type { CameraRight, Principal } from "../access/types.ts";
import type { Media } from "../media/media.ts";
import { redactUrls, StreamError } from "../util/errors.ts";
import type { Consumer } from "./types.ts";

const RIGHTS: readonly CameraRight[] = ["watch", "listen", "snapshot", "playback", "publish", "talk"];

/** Whether a principal may do anything at all with a stream; one that it may not is not there for it. */
export function canSee(principal: Principal, stream: string): boolean {
  return principal.isAdmin || principal.mayOperate || RIGHTS.some((right) => principal.can(right, stream));
}

/** Refuses one who may not change the table of streams. */
export function requireOperate(principal: Principal, what: string): void {
  if (principal.mayOperate) return;
  throw new StreamError("UNAUTHORIZED", `${principal.name} may not ${what}, ask for the right "operate"`);
}

/** Refuses one who lacks a right on a stream. */
export function requireRight(principal: Principal, right: CameraRight, stream: string): void {
  if (!principal.can(right, stream)) throw denied(principal, [right], stream);
}

function denied(principal: Principal, rights: readonly CameraRight[], stream: string): StreamError {
  const list = rights.map((right) => `"${right}"`).join(" and ");
  return new StreamError(
    "UNAUTHORIZED",
    `${principal.name} may not use stream "${redactUrls(stream)}" like this, ask for the right ${list}`,
  );
}

function rightFor(media: Media, consumer: Consumer): CameraRight {
  if (media.direction === "recvonly") return "talk";
  return consumer.right ?? (media.kind === "audio" ? "listen" : "watch");
}

/** Whether a principal may still have all of these medias of a consumer. */
export function mayKeep(consumer: Consumer, medias: readonly Media[], principal: Principal, stream: string): boolean {
  return medias.every((media) => principal.can(rightFor(media, consumer), stream));
}

/** The medias that a principal may have of what a consumer wants; refuses when that is none. */
export function allowedMedias(consumer: Consumer, principal: Principal, stream: string): readonly Media[] {
  const missing = new Set<CameraRight>();
  const allowed = consumer.medias.filter((media) => {
    const right = rightFor(media, consumer);
    const may = principal.can(right, stream);
    if (!may) missing.add(right);
    return may;
  });
  if (allowed.length === 0 && missing.size > 0) throw denied(principal, [...missing], stream);
  return allowed;
}
