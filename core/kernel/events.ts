import type { Principal } from "../access/types.ts";
import { messageOf } from "../util/errors.ts";
import type { Logger } from "../util/logger.ts";
import { jsonText, textResponse } from "./http/responses.ts";

/** The facts of an event; `stream` names the camera that it is about. */
export type EventData = Readonly<Record<string, unknown>>;
type Listener = (data: EventData) => void;

const MAX_CLIENTS = 200;
/** Events that a client may be behind before it is dropped. */
const MAX_QUEUED = 256;
const HEARTBEAT_MS = 15_000;

interface Client {
  readonly principal: Principal;
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
}

/** What happens in the program: told to plugins, and to those who listen at `/api/events`. */
export class Events implements Disposable {
  readonly #log: Logger;
  readonly #mask: (text: string) => string;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #clients = new Set<Client>();
  #heartbeat: ReturnType<typeof setInterval> | undefined;

  constructor(log: Logger, mask: (text: string) => string) {
    this.#log = log;
    this.#mask = mask;
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  emit(type: string, data: EventData): void {
    for (const listener of this.#listeners.get(type) ?? []) {
      try {
        listener(data);
      } catch (error) {
        this.#log.warn(`A listener of "${type}" failed: ${messageOf(error)}`);
      }
    }
    if (this.#clients.size === 0) return;
    const bytes = encoder.encode(`event: ${type.replace(/\s/g, " ")}\ndata: ${jsonText(data, { mask: this.#mask })}\n`);
    const { stream } = data;
    for (const client of [...this.#clients]) {
      const { principal } = client;
      const maySee = typeof stream === "string" ? principal.can("watch", stream) : principal.mayOperate;
      if (maySee || principal.isAdmin) this.#send(client, bytes);
    }
  }

  /** Calls the listener for events of a type; the answer stops that. */
  on(type: string, listener: Listener): () => void {
    let listeners = this.#listeners.get(type);
    if (!listeners) this.#listeners.set(type, listeners = new Set());
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(type) === listeners) this.#listeners.delete(type);
    };
  }

  /** Answers with what happens from now on, as server-sent events; one who falls behind is dropped and may come again. */
  serve(principal: Principal): Response {
    if (this.#clients.size >= MAX_CLIENTS) return textResponse(503, "Too many listeners");
    let client: Client | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        client = { principal, controller };
        this.#clients.add(client);
        controller.enqueue(encoder.encode("retry: 2000\n\n"));
      },
      cancel: () => this.#drop(client!),
    }, { highWaterMark: MAX_QUEUED });
    this.#heartbeat ??= setInterval(() => {
      for (const one of [...this.#clients]) this.#send(one, encoder.encode(": still here\n\n"));
    }, HEARTBEAT_MS);
    return new Response(body, {
      // The last one is for nginx, which else collects what is small.
      headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
    });
  }

  /** Ends the clients for whom `isLetIn` answers false. */
  recheck(isLetIn: (principal: Principal) => boolean): void {
    for (const client of [...this.#clients]) if (!isLetIn(client.principal)) this.#end(client);
  }

  #send(client: Client, bytes: Uint8Array): void {
    if ((client.controller.desiredSize ?? 0) <= 0) return this.#end(client);
    client.controller.enqueue(bytes);
  }

  #end(client: Client): void {
    this.#drop(client);
    try {
      client.controller.close();
    } catch {
      // The client has cancelled already.
    }
  }

  #drop(client: Client): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }

  /** Ends what clients listen to. */
  [Symbol.dispose](): void {
    for (const client of [...this.#clients]) this.#end(client);
  }
}

const encoder = new TextEncoder();
