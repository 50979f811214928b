import { Access } from "../access/access.ts";
import { budget } from "../media/budget.ts";
import { files, giveBackFreedMemory, process } from "../runtime/mod.ts";
import { Streams } from "../streams/streams.ts";
import { messageOf } from "../util/errors.ts";
import type { Logger } from "../util/logger.ts";
import { type BuiltIn, enabledBuiltIns, isEnabled } from "./builtin.ts";
import { Config } from "./config/mod.ts";
import { ConfigReader } from "./config_reader.ts";
import { Events } from "./events.ts";
import { ApiHandler } from "./http/api_server.ts";
import { HttpListeners } from "./http/listeners.ts";
import { Router } from "./http/router.ts";
import { ApiSockets } from "./http/sockets.ts";
import { addKernelMetrics, addKernelRoutes } from "./kernel_routes.ts";
import { isOwnRtsp, makeKernelService } from "./kernel_facts.ts";
import { Log, type LogOutput } from "./log.ts";
import { LagMeter, MetricTable } from "./metrics.ts";
import type { PluginContext } from "./plugin.ts";
import { PluginHost } from "./plugin_host.ts";
import { findPlugins, pluginFolders, watchPlugins } from "./plugin_folder.ts";
import { Registry } from "./registry.ts";
import { kernelSchemas } from "./schema.ts";
import { type KernelSettings, readSettings } from "./settings.ts";

/** What a kernel is started with. */
export interface KernelOptions {
  /** The `-c` values in order. */
  readonly configs: readonly string[];
  readonly builtIns: readonly BuiltIn[];
  /** Imports `core/mod.ts`, which is above the kernel. */
  core(): Promise<PluginContext["core"]>;
  /** The folder of user plugins; without it they are looked for beside the program and the config file. */
  readonly plugins?: string;
  /** The program's own folder; without it no plugins are looked for there. */
  readonly program?: URL;
  /** Plugins are loaded anew when their files change. */
  readonly dev?: boolean;
  /** Where the log goes, for tests. */
  readonly output?: LogOutput;
}

/** How a kernel came to its end. */
export type KernelEnd = { readonly kind: "exit"; readonly code: number } | { readonly kind: "restart" };

/** The start failed and the log says why; nothing is left running. */
export class StartError extends Error {}

/** Logs of frames may fill this part of the memory there is. */
const MEMORY_PART = 1 / 4;

/** The running program: config, log, access, HTTP, streams and plugins, started and stopped in order. */
export class Kernel implements AsyncDisposable {
  /** Resolves when a route asks for the end. */
  readonly ended: Promise<KernelEnd>;
  readonly config: Config;
  readonly log: Log;
  readonly access: Access;
  readonly router: Router;
  readonly streams: Streams;
  readonly host: PluginHost;
  readonly registry: Registry = new Registry();
  readonly #options: KernelOptions;
  readonly #reader: ConfigReader;
  readonly #sockets: ApiSockets;
  readonly #events: Events;
  readonly #metrics: MetricTable = new MetricTable();
  readonly #lag: LagMeter = new LagMeter();
  readonly #controller: AbortController = new AbortController();
  readonly #end: (end: KernelEnd) => void;
  #settings: KernelSettings;
  #listeners: HttpListeners | undefined;
  #stopping: Promise<void> | undefined;

  private constructor(config: Config, options: KernelOptions) {
    const { promise, resolve } = Promise.withResolvers<KernelEnd>();
    this.ended = promise;
    this.#end = resolve;
    this.#options = options;
    this.config = config;
    this.log = new Log({ secrets: config.secrets }, ...(options.output ? [options.output] : []));
    this.#settings = readSettings(config);
    this.#reader = new ConfigReader(config, this.log.logger("config"));
    this.access = new Access(this.#settings.access, {
      interfaces: process.interfaces,
      hostname: process.hostname(),
    });
    const { api } = this.#settings;
    const mask = (text: string) => this.log.mask(text);
    const logOf = (module: string) => this.log.logger(module);
    this.router = new Router({
      basePath: api.base_path,
      ...(api.allow_paths ? { allowPaths: api.allow_paths } : {}),
    });
    this.#events = new Events(logOf(""), mask);
    this.#sockets = new ApiSockets({ access: this.access, log: logOf("ws"), mask });
    this.streams = new Streams({
      registry: this.registry,
      store: config,
      log: logOf("streams"),
      logOf,
      emit: (type, data) => this.#events.emit(type, data),
      isOwnRtsp: (host, port) => isOwnRtsp(this.registry, host, port),
    });
    this.host = new PluginHost({
      access: this.access,
      streams: this.streams,
      registry: this.registry,
      router: this.router,
      sockets: this.#sockets,
      events: this.#events,
      metrics: this.#metrics,
      logOf,
      core: options.core,
      configOf: (definition, schema) => this.#reader.read(definition, schema),
    });
  }

  /** Starts everything. Rejects with a {@linkcode StartError} when it cannot. */
  static async start(options: KernelOptions): Promise<Kernel> {
    let config: Config;
    try {
      config = await Config.load(options.configs);
    } catch (error) {
      new Log({}, ...(options.output ? [options.output] : [])).logger("").error(messageOf(error));
      throw new StartError(messageOf(error));
    }
    const kernel = new Kernel(config, options);
    try {
      await kernel.#start();
    } catch (error) {
      kernel.log.logger("api").error(messageOf(error));
      await kernel.stop();
      throw new StartError(messageOf(error));
    }
    return kernel;
  }

  async #start(): Promise<void> {
    const { log, config } = this;
    log.configure(this.#settings.log);
    log.start();
    if (config.path !== undefined) log.logger("").info("config", { path: config.path });
    this.#reader.report(config.problems);
    budget.limitBytes = process.memory().limit * MEMORY_PART;
    const { promise: ready, resolve: onReady } = Promise.withResolvers<void>();
    // The ports come first: when one is taken, nothing else has begun. Early requests wait for their routes.
    await this.#listen(ready);
    await this.#loadAll();
    this.#checkSections();
    this.streams.configure(this.#sectionsOfStreams(["streams", "publish", "preload"]));
    onReady();
    this.#listeners?.announce(log.logger("api"));
    this.#announceAccess();
    const { signal } = this.#controller;
    giveBackFreedMemory(signal);
    config.onChange((changed) => this.#onConfig(changed));
    config.watch(signal, (error) => log.logger("config").warn(messageOf(error)));
  }

  async #listen(ready: Promise<void>): Promise<void> {
    const { app, api } = this.#settings;
    const hasSockets = isEnabled(["ws", "api"], app.modules);
    addKernelRoutes(
      { router: this.router, sockets: this.#sockets, events: this.#events, metrics: this.#metrics },
      hasSockets,
    );
    addKernelMetrics({
      metrics: this.#metrics,
      streams: this.streams,
      sockets: this.#sockets,
      lag: this.#lag,
      renditionBytes: () => renditionBytesOf(this.streams),
    });
    if (!isEnabled(["api"], app.modules)) return;
    if (this.#settings.isApiOff) {
      this.log.logger("api").error("stays off, pages and API included: mend the section api of the config and restart");
    }
    const handler = new ApiHandler({
      router: this.router,
      access: this.access,
      log: this.log.logger("api"),
      mask: (text) => this.log.mask(text),
    });
    let isReady = false;
    ready.then(() => isReady = true);
    this.#listeners = await HttpListeners.open(api, async (request, peer) => {
      if (!isReady) await ready;
      return await handler.handle(request, peer);
    }, this.log.logger("api"));
  }

  async #loadAll(): Promise<void> {
    const { modules } = this.#settings.app;
    this.registry.services.add("kernel", this.#service(), "kernel");
    await this.host.load(enabledBuiltIns(this.#options.builtIns, modules));
    const { plugins, program } = this.#options;
    const folders = await existing(pluginFolders({ given: plugins, configPath: this.config.path, program }));
    const log = this.log.logger("plugins");
    for (const folder of folders) {
      const found = await findPlugins(folder);
      if (found.length > 0) log.debug("loading plugins", { folder, count: found.length });
      await this.host.load(found);
      if (this.#options.dev) watchPlugins(folder, this.host, log, this.#controller.signal);
    }
  }

  #service(): ReturnType<typeof makeKernelService> {
    return makeKernelService({
      config: this.config,
      log: this.log,
      registry: this.registry,
      plugins: () => this.host.names(),
      setupLink: () => this.setupLink,
      token: this.access.token,
      isOpen: () => this.access.isOpen,
      end: (end) => this.#end(end),
    });
  }

  /** Where HTTP is served, ports filled in. */
  get addresses(): HttpListeners["addresses"] {
    return this.#listeners?.addresses ?? [];
  }

  /** The link that makes whoever opens it the owner. */
  get setupLink(): string | undefined {
    const address = this.addresses.find(({ path }) => path === undefined);
    if (!address) return undefined;
    const isOpenToAll = address.host === "::" || address.host === "0.0.0.0";
    const host = isOpenToAll ? ownAddress() : address.host.includes(":") ? `[${address.host}]` : address.host;
    const scheme = this.#settings.api.listen === "" ? "https" : "http";
    return `${scheme}://${host}:${address.port}${this.router.basePath}/?token=${this.access.token}`;
  }

  #announceAccess(): void {
    const log = this.log.logger("access");
    if (this.access.isOpen) {
      log.warn("access.open is set: EVERYBODY who reaches this server may do everything, cameras and config included");
    }
    const link = this.setupLink;
    if (link && !this.access.hasUsers) log.info("whoever opens this link may change everything", { link });
  }

  #checkSections(): void {
    this.config.checkNames([...Object.keys(kernelSchemas), ...this.host.sections()]);
    this.config.checkSources(this.registry.schemes());
    this.#reader.report(this.config.problems);
  }

  // Whoever starts the program without any config is to see a picture.
  #sectionsOfStreams(names: readonly string[]): Record<string, Record<string, unknown> | null> {
    const isEmpty = this.config.sections().length === 0;
    const read = (name: string) => isEmpty && name === "streams" ? { demo: "demo:" } : this.#reader.map(name);
    return Object.fromEntries(names.map((name) => [name, read(name)]));
  }

  #onConfig(changed: readonly string[]): void {
    if (changed.length === 0) return this.#checkSections();
    const log = this.log.logger("config");
    log.info("config changed", { sections: changed.join(",") });
    const before = this.#settings;
    this.#settings = readSettings(this.config, before);
    this.#checkSections();
    const mistaken = new Set(
      this.config.problems.filter(({ level }) => level === "error").map(({ section }) => section),
    );
    for (const name of changed.filter((name) => name in kernelSchemas && mistaken.has(name))) {
      log.warn(`section "${name}" has mistakes: what it said before stays in force`);
    }
    this.log.configure(this.#settings.log);
    if (this.access.configure(this.#settings.access)) {
      this.#sockets.recheck();
      this.#events.recheck((principal) => this.access.isLetIn(principal));
      this.streams.recheck();
    }
    const own = changed.filter((name) => name === "streams" || name === "publish" || name === "preload");
    if (own.length > 0) this.streams.configure(this.#sectionsOfStreams(own));
    if (needsRestart(before, this.#settings)) {
      log.warn("the change of app or of the listeners in api takes effect after a restart");
    }
    const readers = new Set(changed.flatMap((name) => this.host.readersOf(name)));
    readers.delete("streams");
    for (const name of readers) {
      log.info("loading the plugin of a changed section anew", { plugin: name });
      this.host.restart(name).catch((error) => log.error(`Plugin "${name}" failed: ${messageOf(error)}`));
    }
    this.#events.emit("config", { sections: changed });
  }

  /** Reports what nobody caught, so that the program can go on. */
  reportUncaught(error: unknown): void {
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    this.log.logger("").limited(`uncaught ${messageOf(error)}`, "warn", `Nobody caught: ${text}`);
  }

  /** Closes viewers, plugins and listeners. Never rejects. */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  async #stop(): Promise<void> {
    const log: Logger = this.log.logger("");
    const attempt = async (what: string, work: () => unknown) => {
      try {
        await work();
      } catch (error) {
        log.warn(`Stopping ${what} failed: ${messageOf(error)}`);
      }
    };
    this.#controller.abort();
    const listening = attempt("the HTTP server", () => this.#listeners?.close());
    await attempt("the streams", () => this.streams.close());
    this.#sockets.close();
    this.#events[Symbol.dispose]();
    await attempt("the plugins", () => this.host.close());
    await listening;
    this.#lag[Symbol.dispose]();
    await attempt("the log", () => this.log.flush());
    this.log[Symbol.dispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function renditionBytesOf(streams: Streams): number {
  let sum = 0;
  for (const stream of streams.all) {
    for (const slot of stream.slots) for (const { track } of slot.bindings) sum += track.renditionBytes;
  }
  return sum;
}

function needsRestart(before: KernelSettings, after: KernelSettings): boolean {
  const listeners = ({ app, api }: KernelSettings) => {
    const { username: _name, password: _password, local_auth: _local, origin: _origin, static_dir: _dir, ...rest } =
      api;
    return JSON.stringify([app, rest]);
  };
  return listeners(before) !== listeners(after);
}

// Loopback when there is no other: the link must lead somewhere.
function ownAddress(): string {
  const found = process.interfaces().find(({ family, address }) =>
    family === "IPv4" && !address.startsWith("127.") && !address.startsWith("169.254.")
  );
  return found?.address ?? "127.0.0.1";
}

async function existing(folders: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const folder of folders) {
    try {
      if ((await files.info(folder)).isDirectory) found.add(await files.realPath(folder));
    } catch {
      // A folder that is not there or cannot be read has no plugins.
    }
  }
  return [...found];
}
