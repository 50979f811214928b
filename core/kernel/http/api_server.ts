import type { Access, Denial, Verdict } from "../../access/access.ts";
import { TOKEN_COOKIE } from "../../access/access.ts";
import type { Peer, Principal } from "../../access/types.ts";
import { plainHost } from "../../net/plain_host.ts";
import type { HttpPeer } from "../../runtime/types.ts";
import type { Logger } from "../../util/logger.ts";
import type { RouteOptions, RouteRequest } from "../plugin.ts";
import { BodyError, isOverLimit, limitBody } from "./body_limit.ts";
import { errorResponse, statusOf, textResponse } from "./responses.ts";
import type { Route, Router } from "./router.ts";

/** What a body may hold unless its route says otherwise. */
const DEFAULT_BODY_LIMIT = 4 << 20;

const CORS: Readonly<Record<string, string>> = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
  "access-control-allow-headers": "Authorization, Content-Type, If-Match",
  // A WHEP player of another site needs them.
  "access-control-expose-headers": "ETag, Link, Location",
};

/** What answers requests works with. */
export interface ApiHandlerOptions {
  readonly router: Router;
  readonly access: Access;
  readonly log: Logger;
  /** Hides secrets in error texts. */
  mask(text: string): string;
}

/** Answers HTTP requests: who asks, what it leads to, whether he may; errors never escape. */
export class ApiHandler {
  readonly #router: Router;
  readonly #access: Access;
  readonly #log: Logger;
  readonly #mask: (text: string) => string;

  constructor(options: ApiHandlerOptions) {
    this.#router = options.router;
    this.#access = options.access;
    this.#log = options.log;
    this.#mask = options.mask;
  }

  readonly handle = async (request: Request, from: HttpPeer): Promise<Response> => {
    const hasCors = this.#access.settings.api.origin === "*";
    let response: Response;
    try {
      response = await this.#answer(request, from, hasCors);
    } catch (error) {
      response = this.#failed(request, error);
    }
    return hasCors ? withHeaders(response, CORS) : response;
  };

  async #answer(request: Request, from: HttpPeer, hasCors: boolean): Promise<Response> {
    const url = urlOf(request);
    if (!url) return textResponse(400, "Cannot read the request's URL");
    const isPreflight = request.method === "OPTIONS" && request.headers.has("access-control-request-method");
    if (isPreflight && hasCors) return new Response(null, { status: 204 });
    // A copy: who asks is looked at again when the request may be gone.
    const headers = new Headers(request.headers);
    const peer: Peer = { ...from, host: plainHost(from.host), headers };
    const host = request.headers.get("host") ?? url.host;
    const verdict = this.#access.enter({
      peer,
      method: request.method,
      query: url.searchParams,
      host: from.transport === "unix" ? "" : host,
      headers,
    });
    const found = this.#router.find(request.method, url.pathname);
    const needsNothing = found.kind === "route" && found.route.options.needs === "public";
    if (verdict.denial && !needsNothing) return this.#denied(verdict.denial, request, peer);
    if (found.kind === "none") return this.#notFound(url);
    if (found.kind === "method") return textResponse(405, "Method not allowed", { allow: found.allowed.join(", ") });
    const response = await this.#run(found.route, request, url, peer, verdict);
    return verdict.showedToken ? withHeaders(response, { "set-cookie": this.#cookie(from) }) : response;
  }

  async #run(route: Route, request: Request, url: URL, peer: Peer, verdict: Verdict): Promise<Response> {
    const { options } = route;
    const denial = this.#access.check(verdict.principal, options.needs, cameraOf(options, url.searchParams));
    if (denial) return this.#denied(denial, request, peer);
    const limit = options.maxBodyBytes ?? (options.needs === "publish" ? Infinity : DEFAULT_BODY_LIMIT);
    if (isOverLimit(request, limit)) throw BodyError.tooLarge(limit);
    const routed: RouteRequest = {
      request: limitBody(request, limit),
      url,
      query: url.searchParams,
      principal: verdict.principal,
      peer,
      remoteAddr: this.#access.describe(peer),
    };
    const response = await route.handler(routed);
    if (request.method !== "HEAD" || !response.body) return response;
    await response.body.cancel();
    return new Response(null, response);
  }

  #denied(denial: Denial, request: Request, peer: Peer): Response {
    const remote = peer.host || "unix";
    const path = new URL(request.url).pathname;
    if (denial.isWrongLogin) {
      const message = "Refused a wrong name or password, the right ones are in api.username and access.users";
      this.#log.limited(`login ${remote}`, "warn", message, { path, remote });
    } else {
      const { status, message: reason } = denial;
      this.#log.limited(`denied ${remote}`, "debug", "request was denied", { path, remote, status, reason });
    }
    // Whoever may do nothing shall not hold a connection either.
    const headers: Record<string, string> = { connection: "close" };
    if (denial.status === 401) headers["www-authenticate"] = 'Basic realm="go2rtc"';
    if (denial.retryAfterSeconds) headers["retry-after"] = String(denial.retryAfterSeconds);
    return textResponse(denial.status, denial.message, headers);
  }

  #notFound(url: URL): Response {
    const { basePath } = this.#router;
    if (basePath !== "" && url.pathname === basePath) {
      return new Response(null, { status: 301, headers: { location: `${basePath}/${url.search}` } });
    }
    return textResponse(404, "404 page not found");
  }

  #failed(request: Request, error: unknown): Response {
    if (error instanceof BodyError) return textResponse(error.status, error.message, { connection: "close" });
    if (statusOf(error) === 500) {
      const message = error instanceof Error ? error.message : String(error);
      this.#log.limited(`failed ${message}`, "warn", message, {
        method: request.method,
        path: new URL(request.url).pathname,
      });
    }
    return errorResponse(error, this.#mask);
  }

  #cookie(from: HttpPeer): string {
    const secure = from.transport === "tls" ? "; Secure" : "";
    return `${TOKEN_COOKIE}=${this.#access.token}; Path=/; HttpOnly; SameSite=Strict${secure}`;
  }
}

/** The stream that a query means, as a route's options say. */
export function cameraOf(options: Pick<RouteOptions, "camera">, query: URLSearchParams): string | null {
  return options.camera ? options.camera(query) : query.get("src") ?? query.get("dst");
}

// A Host header can be anything.
function urlOf(request: Request): URL | undefined {
  try {
    return new URL(request.url);
  } catch {
    return undefined;
  }
}

// The answer to an upgrade must go back as it is.
function withHeaders(response: Response, headers: Readonly<Record<string, string>>): Response {
  if (response.status === 101) return response;
  try {
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  } catch {
    const copy = new Response(response.body, response);
    for (const [name, value] of Object.entries(headers)) copy.headers.set(name, value);
    return copy;
  }
}

/** Whether a principal may call a route, for pages that list them. */
export function mayCall(access: Access, principal: Principal, route: Route): boolean {
  return access.check(principal, route.options.needs, null) === undefined;
}
