import { clearTimeout, setTimeout } from "node:timers";
import { StreamError } from "../../util/errors.ts";

/** A body that is limited in size must also have come within this time. */
const BODY_MS = 30_000;

/** The request as it is, or with a body that fails once it has given more than `limit` bytes, or is not complete in time. */
export function limitBody(request: Request, limit: number, limitMs = BODY_MS): Request {
  if (!request.body || limit === Infinity) return request;
  let left = limit;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(BodyError.late(limitMs)), limitMs);
  timer.unref();
  const counted = request.body.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        left -= chunk.length;
        if (left < 0) controller.error(BodyError.tooLarge(limit));
        else controller.enqueue(chunk);
      },
      flush: () => clearTimeout(timer),
    }),
    { signal: late.signal },
  );
  return new Request(request, { body: counted, duplex: "half" } as RequestInit);
}

/** Whether a request says itself that its body is over the limit. */
export function isOverLimit(request: Request, limit: number): boolean {
  return Number(request.headers.get("content-length") ?? 0) > limit;
}

/** A body that cannot be taken. */
export class BodyError extends StreamError {
  readonly status: 408 | 413;

  constructor(status: 408 | 413, message: string) {
    super("BAD_SOURCE", message);
    this.status = status;
  }

  static tooLarge(limit: number): BodyError {
    return new BodyError(413, `Body is too large, at most ${limit} bytes are taken here`);
  }
  static late(limitMs: number): BodyError {
    return new BodyError(408, `Body did not come within ${limitMs / 1000} s`);
  }
}
