import type { Access } from "../access/access.ts";
import type { StreamsApi } from "../streams/types.ts";
import { messageOf } from "../util/errors.ts";
import type { Logger } from "../util/logger.ts";
import { ConnectionListener } from "./connections.ts";
import type { Events } from "./events.ts";
import type { RouteMethod, Router } from "./http/router.ts";
import type { ApiSockets } from "./http/sockets.ts";
import type { MetricTable } from "./metrics.ts";
import type { PluginContext } from "./plugin.ts";
import type { Registry } from "./registry.ts";

/** What plugins register with. */
export interface ScopeParts {
  readonly access: Access;
  readonly streams: StreamsApi;
  readonly registry: Registry;
  readonly router: Router;
  readonly sockets: ApiSockets;
  readonly events: Events;
  readonly metrics: MetricTable;
  logOf(module: string): Logger;
}

type Undo = () => void | Promise<void>;

/** The life of one plugin: what it registers is remembered and undone, in reverse order, when the scope closes. */
export class PluginScope {
  readonly name: string;
  readonly context: PluginContext<unknown>;
  readonly #log: Logger;
  readonly #controller = new AbortController();
  readonly #undo: Undo[] = [];
  #closing: Promise<void> | undefined;

  constructor(name: string, config: unknown, core: PluginContext["core"], parts: ScopeParts) {
    this.name = name;
    this.#log = parts.logOf(name);
    this.context = this.#makeContext(config, core, parts);
  }

  #makeContext(config: unknown, core: PluginContext["core"], parts: ScopeParts): PluginContext<unknown> {
    const { name } = this;
    const { access, registry, router, sockets, events, metrics } = parts;
    const route = (method: RouteMethod): PluginContext["http"]["get"] => (path, options, handler) =>
      this.#add(() => router.add(method, path, options, handler, name));
    const register = (schemes: string | readonly string[], add: (scheme: string) => Undo) => {
      for (const scheme of typeof schemes === "string" ? [schemes] : schemes) this.#add(() => add(scheme));
    };
    return {
      name,
      config,
      log: this.#log,
      signal: this.#controller.signal,
      streams: parts.streams,
      core,
      events: {
        emit: (type, data) => events.emit(type, data),
        on: (type, listener) => this.#add(() => events.on(type, listener)),
      },
      metrics: metrics.scope((remove) => this.#add(() => remove)),
      http: {
        get: route("GET"),
        post: route("POST"),
        put: route("PUT"),
        patch: route("PATCH"),
        delete: route("DELETE"),
        any: route("*"),
      },
      source: (schemes, opener) => register(schemes, (scheme) => registry.sources.add(scheme, opener, name)),
      sink: (schemes, opener) => register(schemes, (scheme) => registry.sinks.add(scheme, opener, name)),
      redirect: (schemes, one) => register(schemes, (scheme) => registry.redirects.add(scheme, one, name)),
      sniffer: (label, sniffer) => this.#add(() => registry.sniffers.add(label, sniffer, name)),
      socket: (type, options, handler) => this.#add(() => sockets.add(type, options, handler, name)),
      listen: async (address, serve, logged = "listen") => {
        this.#requireOpen();
        const listener = new ConnectionListener(address, serve, { name, log: this.#log, logged });
        this.#undo.push(() => listener.stop());
        return await Promise.resolve(listener);
      },
      identify: (peer, login) => access.identify(peer, login, name),
      provide: (service, value) => this.#add(() => registry.services.add(service, value, name)),
      use: <T>(service: string) => registry.services.get(service) as T | undefined,
      defer: (undo) => this.#add(() => undo),
    };
  }

  #add(register: () => Undo): void {
    this.#requireOpen();
    this.#undo.push(register());
  }

  #requireOpen(): void {
    if (this.#closing) throw new Error(`Plugin "${this.name}" has been unloaded and cannot register anything`);
  }

  /** Aborts the plugin's signal and undoes what it registered; one failure does not keep the rest. Never rejects. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#controller.abort();
    for (const undo of this.#undo.splice(0).reverse()) {
      try {
        await undo();
      } catch (error) {
        this.#log.warn(`Unloading plugin "${this.name}" left something behind: ${messageOf(error)}`);
      }
    }
  }
}
