/** Why an operation on a stream failed; what clients and tests tell errors apart by. */
export type StreamErrorCode =
  | "UNSUPPORTED_SCHEME"
  | "UNTRUSTED_SOURCE"
  | "BAD_SOURCE"
  | "NOT_FOUND"
  | "NO_COMMON_CODEC"
  | "UNAUTHORIZED"
  | "REFUSED"
  | "TIMEOUT"
  | "PROTOCOL"
  | "BUSY"
  | "CLOSED"
  | "OFFLINE";

/** An error with a code; the message is one line that says what failed, where, and what to do. */
export class StreamError extends Error {
  readonly code: StreamErrorCode;

  constructor(code: StreamErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StreamError";
    this.code = code;
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Hides the user info of every URL in a text, and the passwords that many cameras want in the query:
 * `http://user:pass@host/?user=admin&password=secret` becomes `http://***@host/?user=admin&password=***`.
 */
export function redactUrls(text: string): string {
  return text
    .replace(/:\/\/[^\s/?#@"'<>]*(?:@[^\s/?#@"'<>]*)*@/g, "://***@")
    .replace(/([?&](?:password|passwd|pwd|pass)=)[^\s&#"'<>]+/gi, "$1***");
}
