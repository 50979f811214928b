import {
  files,
  type HttpListenOptions,
  type HttpPeer,
  type HttpServer,
  isNotFound,
  serveHttp,
  type SocketAddress,
  type TlsIdentity,
} from "../../runtime/mod.ts";
import { listenFault } from "../../net/listen_fault.ts";
import { messageOf, StreamError } from "../../util/errors.ts";
import type { Logger } from "../../util/logger.ts";
import { parseListenAddress } from "../address.ts";

/** Where HTTP is served, as the section `api` has it. */
export interface HttpListenSettings {
  readonly listen: string;
  readonly tls_listen: string;
  readonly tls_cert: string;
  readonly tls_key: string;
  readonly unix_listen: string;
}

type Handler = (request: Request, peer: HttpPeer) => Response | Promise<Response>;

interface Bound {
  readonly message: string;
  /** As the config has it. */
  readonly address: string;
  readonly server: HttpServer;
}

/** The HTTP listeners of the program. */
export class HttpListeners {
  readonly #bound: Bound[];

  private constructor(bound: Bound[]) {
    this.#bound = bound;
  }

  /** Opens all of them, or none: rejects with one clear line. Requests may come at once. */
  static async open(settings: HttpListenSettings, handler: Handler, log: Logger): Promise<HttpListeners> {
    const bound: Bound[] = [];
    const listen = (message: string, key: string, address: string, options: HttpListenOptions) => {
      const onFailure = (error: unknown) =>
        log.warn(
          `Cannot accept connections: ${messageOf(error)}; trying again, raise the limit if it lasts (ulimit -n)`,
        );
      bound.push({ message, address, server: serve(key, address, { ...options, onFailure }, handler) });
    };
    try {
      const { listen: plain, tls_listen: secure, unix_listen: path } = settings;
      if (plain !== "") listen("listen", "listen", plain, at("listen", plain));
      if (secure !== "") {
        const tls = await identityOf(settings);
        listen("tls listen", "tls_listen", secure, { ...at("tls_listen", secure), tls });
      }
      if (path !== "") {
        await removeStale(path);
        listen("listen", "unix_listen", path, { path });
      }
    } catch (error) {
      await new HttpListeners(bound).close();
      throw error;
    }
    return new HttpListeners(bound);
  }

  /** Where they listen, ports filled in. */
  get addresses(): readonly SocketAddress[] {
    return this.#bound.map(({ server }) => server.address);
  }

  /** Prints the lines that clients wait for before they ask (contract §11.1). */
  announce(log: Logger): void {
    for (const { message, address, server } of this.#bound) {
      const addr = address.endsWith(":0") ? `${address.slice(0, -1)}${server.address.port}` : address;
      log.info(message, { addr });
    }
  }

  /** Stops accepting; resolves when the open requests have ended. */
  async close(): Promise<void> {
    await Promise.all(this.#bound.map(async ({ server }) => {
      const { path } = server.address;
      await server.close();
      if (path !== undefined) await files.remove(path).catch(ignoreMissing);
    }));
  }
}

function at(key: string, address: string): HttpListenOptions {
  try {
    return parseListenAddress(address);
  } catch (error) {
    throw new StreamError("BAD_SOURCE", `api.${key}: ${messageOf(error)}`);
  }
}

function serve(key: string, address: string, options: HttpListenOptions, handler: Handler): HttpServer {
  try {
    return serveHttp(options, handler);
  } catch (error) {
    const fault = listenFault(error, options.path === undefined ? options.port ?? 0 : undefined);
    throw new StreamError("BUSY", `Cannot listen on ${address}: ${fault}, set api.${key} to another one`);
  }
}

async function identityOf(settings: HttpListenSettings): Promise<TlsIdentity> {
  if (settings.tls_cert === "" || settings.tls_key === "") {
    throw new StreamError("BAD_SOURCE", "api.tls_listen needs api.tls_cert and api.tls_key: PEM text or file paths");
  }
  return { cert: await pemOf("tls_cert", settings.tls_cert), key: await pemOf("tls_key", settings.tls_key) };
}

async function pemOf(key: string, value: string): Promise<string> {
  if (value.trim().includes("\n")) return value;
  if (value.includes("-----BEGIN")) {
    throw new StreamError(
      "BAD_SOURCE",
      `Cannot read api.${key}: it is PEM text without line breaks, write it with "|"`,
    );
  }
  try {
    return await files.readText(value);
  } catch (error) {
    throw new StreamError("NOT_FOUND", `Cannot read api.${key} "${value}": ${messageOf(error)}`);
  }
}

// A socket file outlives the program that made it. Anything else in its place was not ours.
async function removeStale(path: string): Promise<void> {
  try {
    const { isFile, isDirectory } = await files.info(path);
    if (isFile || isDirectory) {
      throw new StreamError("BUSY", `Cannot listen on ${path}: it is no socket, set api.unix_listen to another path`);
    }
    await files.remove(path);
  } catch (error) {
    ignoreMissing(error);
  }
}

function ignoreMissing(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
