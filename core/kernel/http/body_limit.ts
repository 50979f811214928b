import { StreamError } from "../../util/errors.ts";

/** The request as it is, or with a body that fails once it has given more than `limit` bytes. */
export function limitBody(request: Request, limit: number): Request {
  if (!request.body || limit === Infinity) return request;
  let left = limit;
  const counted = request.body.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        left -= chunk.length;
        if (left < 0) controller.error(new BodyTooLargeError(limit));
        else controller.enqueue(chunk);
      },
    }),
  );
  return new Request(request, { body: counted, duplex: "half" } as RequestInit);
}

/** Whether a request says itself that its body is over the limit. */
export function isOverLimit(request: Request, limit: number): boolean {
  return Number(request.headers.get("content-length") ?? 0) > limit;
}

/** A body was longer than its route takes: 413. */
export class BodyTooLargeError extends StreamError {
  constructor(limit: number) {
    super("BAD_SOURCE", `Body is too large, at most ${limit} bytes are taken here`);
  }
}
