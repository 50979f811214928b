import type { RouteHandler, RouteOptions } from "../plugin.ts";

/** A method of HTTP, or `"*"` for all of them. */
export type RouteMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "*";

/** A route, with who registered it. */
export interface Route {
  readonly method: RouteMethod;
  /** The full path; a final `*` stands for any rest. */
  readonly path: string;
  readonly options: RouteOptions;
  readonly handler: RouteHandler;
  /** The plugin's name. */
  readonly owner: string;
}

/** What a path and method lead to. */
export type Found =
  | { readonly kind: "route"; readonly route: Route }
  | { readonly kind: "method"; readonly allowed: readonly string[] }
  | { readonly kind: "none" };

/** Where routes are registered and found (contract §3.1). */
export class Router {
  readonly basePath: string;
  readonly #allowed: ReadonlySet<string> | undefined;
  readonly #exact = new Map<string, Map<RouteMethod, Route>>();
  // Longest first.
  #wildcards: { prefix: string; methods: Map<RouteMethod, Route> }[] = [];

  constructor(options: { basePath?: string; allowPaths?: readonly string[] } = {}) {
    this.basePath = normalBase(options.basePath ?? "");
    this.#allowed = options.allowPaths && new Set(options.allowPaths);
  }

  /**
   * Registers a route; the answer removes it. `api`, what is below it, and the pages (`/*`) get the base path in front. A
   * path that `allow_paths` does not list is left out silently. Throws when another plugin has it.
   */
  add(method: RouteMethod, path: string, options: RouteOptions, handler: RouteHandler, owner: string): () => void {
    const full = this.fullPath(path);
    if (!this.#isAllowed(full)) return () => {};
    const isWildcard = full.endsWith("*");
    const methods = isWildcard ? this.#wildcard(full.slice(0, -1)) : this.#exactly(full);
    const taken = methods.get(method) ??
      [...methods.values()].find((route) => route.owner !== owner && (method === "*" || route.method === "*"));
    if (taken) {
      const whom = taken.owner === owner ? `plugin "${owner}" twice` : `plugins "${taken.owner}" and "${owner}"`;
      throw new Error(`Route "${full}" is claimed by ${whom}, only one of them can have it`);
    }
    methods.set(method, { method, path: full, options, handler, owner });
    return () => {
      methods.delete(method);
      if (methods.size > 0) return;
      if (isWildcard) this.#wildcards = this.#wildcards.filter((one) => one.methods !== methods);
      else if (this.#exact.get(full) === methods) this.#exact.delete(full);
    };
  }

  /** The path of a route as clients write it. */
  fullPath(path: string): string {
    const rooted = path.startsWith("/") ? path : `/${path}`;
    const isRelative = rooted === "/api" || rooted.startsWith("/api/") || rooted === "/*" || !path.startsWith("/");
    return isRelative ? this.basePath + rooted : rooted;
  }

  #isAllowed(full: string): boolean {
    if (!this.#allowed) return true;
    if (!full.endsWith("*")) return this.#allowed.has(full);
    const prefix = full.slice(0, -1);
    return this.#allowed.has(prefix) || this.#allowed.has(full) ||
      (prefix === `${this.basePath}/` && this.#allowed.has("/"));
  }

  #exactly(path: string): Map<RouteMethod, Route> {
    let methods = this.#exact.get(path);
    if (!methods) this.#exact.set(path, methods = new Map());
    return methods;
  }

  #wildcard(prefix: string): Map<RouteMethod, Route> {
    const found = this.#wildcards.find((one) => one.prefix === prefix);
    if (found) return found.methods;
    const methods = new Map<RouteMethod, Route>();
    this.#wildcards.push({ prefix, methods });
    this.#wildcards.sort((a, b) => b.prefix.length - a.prefix.length);
    return methods;
  }

  /** Looks a request up; GET routes answer HEAD too. */
  find(method: string, pathname: string): Found {
    const methods = this.#exact.get(pathname) ??
      this.#wildcards.find((one) => pathname.startsWith(one.prefix))?.methods;
    if (!methods || methods.size === 0) return { kind: "none" };
    const asked = method === "HEAD" ? "GET" : method;
    const route = methods.get(asked as RouteMethod) ?? methods.get("*");
    if (route) return { kind: "route", route };
    const allowed = [...methods.keys()].flatMap((one) => one === "GET" ? ["GET", "HEAD"] : [one]);
    return { kind: "method", allowed };
  }

  /** All routes, by path. */
  routes(): Route[] {
    const tables = [...this.#exact.values(), ...this.#wildcards.map((one) => one.methods)];
    return tables.flatMap((methods) => [...methods.values()]).sort((a, b) =>
      a.path < b.path ? -1 : a.path > b.path ? 1 : a.method < b.method ? -1 : 1
    );
  }
}

function normalBase(path: string): string {
  const trimmed = path.replace(/^\/+|\/+$/g, "");
  return trimmed === "" ? "" : `/${trimmed}`;
}
