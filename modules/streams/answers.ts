import { type RouteHandler, StreamError, type StreamErrorCode, textResponse } from "../../core/mod.ts";

/** The answer to what was done and has nothing to tell. */
export const ok = (): Response => new Response(null, { status: 200 });

/** The stream that a query means. */
export function sourceOf(query: URLSearchParams): string {
  return query.get("src") ?? "";
}

/** Answers errors of one code with a status of its own, which is what clients know. */
export function answering(code: StreamErrorCode, status: number, handler: RouteHandler): RouteHandler {
  return async (call) => {
    try {
      return await handler(call);
    } catch (error) {
      if (error instanceof StreamError && error.code === code) return textResponse(status, error.message);
      throw error;
    }
  };
}
