/** What failed, by the codes of Node's errors. */

const MISSING = new Set(["ENOENT", "ENOTFOUND"]);
const DISCONNECTS = new Set([
  "ECONNRESET",
  "EPIPE",
  "ECONNABORTED",
  "EBADF",
  "ERR_SOCKET_CLOSED",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** An error with a code, as Node's own have it. */
export function errorWithCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** Whether a file, host or program was missing. */
export function isNotFound(error: unknown): boolean {
  return MISSING.has(codeOf(error));
}

/** Whether a port or path is in use by somebody else. */
export function isAddressInUse(error: unknown): boolean {
  return codeOf(error) === "EADDRINUSE";
}

/** Whether the peer or this side ended the connection: not worth an error line of its own. */
export function isDisconnect(error: unknown): boolean {
  return DISCONNECTS.has(codeOf(error));
}
