import { redactUrls, StreamError, type StreamErrorCode } from "../../util/errors.ts";

/** How JSON is written: `pretty` indents by two spaces, `mask` is applied to every text that is no key. */
export interface JsonOptions {
  readonly pretty?: boolean;
  readonly mask?: (text: string) => string;
}

/** Writes JSON as the contract has it: `& < >` escaped, a newline at the end. */
export function jsonText(value: unknown, { pretty, mask }: JsonOptions = {}): string {
  const masked = mask && ((_key: string, inner: unknown) => typeof inner === "string" ? mask(inner) : inner);
  const text = JSON.stringify(value, masked, pretty ? 2 : undefined) ?? "null";
  return text.replace(/[&<>\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`) + "\n";
}

/** Answers with JSON. */
export function jsonResponse(value: unknown, options: JsonOptions & { readonly status?: number } = {}): Response {
  return new Response(jsonText(value, options), {
    status: options.status ?? 200,
    headers: { "content-type": "application/json" },
  });
}

/** Answers with an error or another short text, followed by a newline. */
export function textResponse(status: number, message = "", headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(`${message}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff", ...headers },
  });
}

const STATUS: Readonly<Partial<Record<StreamErrorCode, number>>> = {
  NOT_FOUND: 404,
  UNAUTHORIZED: 403,
  UNTRUSTED_SOURCE: 400,
  BAD_SOURCE: 400,
  UNSUPPORTED_SCHEME: 400,
  BUSY: 409,
};

/** The HTTP status of whatever was thrown; what failed further away (an error with a cause) is 500 whatever its code. */
export function statusOf(error: unknown): number {
  if (!(error instanceof StreamError) || error.cause instanceof Error) return 500;
  return STATUS[error.code] ?? 500;
}

/** Answers with whatever was thrown; `mask` hides secrets in its text. */
export function errorResponse(error: unknown, mask: (text: string) => string = redactUrls): Response {
  return textResponse(statusOf(error), mask(error instanceof Error ? error.message : String(error)));
}
