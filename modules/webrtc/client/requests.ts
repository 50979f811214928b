/** HTTP as signalling needs it: one small question, one small answer, in time. */
import { messageOf, ownCallHeaders, StreamError, timeLimit } from "../../../core/mod.ts";
import type { ClientTarget } from "./target.ts";

/** A request. */
export interface SignalRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Default 10 s. */
  readonly limitMs?: number;
}

/** An answer. */
export interface SignalAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const LIMIT_MS = 10_000;
const MAX_ANSWER_BYTES = 256 << 10;

/** Asks. Rejects with a `StreamError` when nothing answers in time, or what answers is not one of the statuses. */
export async function ask(
  target: ClientTarget,
  request: SignalRequest,
  statuses: readonly number[] = [200],
): Promise<SignalAnswer> {
  const { authorization, isUnchecked } = target;
  const shown = `${request.url.origin}${request.url.pathname}`;
  const late = () => new StreamError("TIMEOUT", `webrtc: ${shown} did not answer in time`);
  using limit = timeLimit(request.limitMs ?? LIMIT_MS, late, request.signal);
  const headers = { ...ownCallHeaders, ...(authorization ? { authorization } : {}), ...request.headers };
  let answer: SignalAnswer;
  try {
    const asked = { ...request, headers, signal: limit.signal };
    answer = isUnchecked ? await askUnchecked(asked) : await askChecked(asked);
  } catch (error) {
    if (limit.signal.aborted) throw limit.signal.reason;
    if (error instanceof StreamError) throw error;
    throw new StreamError("OFFLINE", `webrtc: cannot reach ${shown}: ${messageOf(error)}`);
  }
  if (statuses.includes(answer.status)) return answer;
  const isLogin = answer.status === 401 || answer.status === 403;
  const hint = isLogin ? "check user and password" : answer.text.trim().slice(0, 200).replace(/\s+/g, " ");
  throw new StreamError(
    isLogin ? "UNAUTHORIZED" : answer.status === 404 ? "NOT_FOUND" : "REFUSED",
    `webrtc: ${shown} answered ${answer.status}${hint ? `: ${hint}` : ""}`,
  );
}

type Asked = SignalRequest & { readonly headers: Readonly<Record<string, string>> };

async function askChecked({ method, url, headers, body, signal }: Asked): Promise<SignalAnswer> {
  const response = await fetch(url, { method, headers, signal, ...(body === undefined ? {} : { body }) });
  return { status: response.status, headers: response.headers, text: await textOf(response.body ?? []) };
}

// `fetch` cannot skip the check of a certificate.
async function askUnchecked({ method, url, headers, body, signal }: Asked): Promise<SignalAnswer> {
  const { request } = await import("node:https");
  const length = body === undefined ? {} : { "content-length": String(new TextEncoder().encode(body).length) };
  return await new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { ...headers, ...length }, signal, rejectUnauthorized: false });
    sent.once("error", reject);
    sent.once("response", (response) => {
      const found = new Headers();
      for (const [name, value] of Object.entries(response.headers)) found.set(name, String(value));
      textOf(response).then((text) => resolve({ status: response.statusCode ?? 0, headers: found, text }), reject);
    });
    sent.end(body);
  });
}

async function textOf(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of body) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > MAX_ANSWER_BYTES) {
      throw new StreamError("PROTOCOL", "webrtc: an answer of signalling is too long");
    }
  }
  return text + decoder.decode();
}

/** An answer's JSON object. Throws a `StreamError` when it is none. */
export function jsonOf(text: string, what: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Readonly<Record<string, unknown>>;
    }
  } catch {
    // Told below.
  }
  throw new StreamError("PROTOCOL", `webrtc: ${what} is not a JSON object`);
}
