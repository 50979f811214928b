/** Requests to a TURN server and their answers: sent again until answered, and signed with the login that it asks for. */
import { StreamError } from "../../../core/mod.ts";
import { createHash } from "node:crypto";
import { isStun, type MappedAddress, StunMessage, stunMessage } from "../stun.ts";
import { isChannelData, openLink, type TurnLink } from "./link.ts";
import type { TurnServer } from "./server.ts";

/** The methods of TURN (RFC 8656 §17), as requests or indications. */
export const TurnType = {
  ALLOCATE: 0x0003,
  REFRESH: 0x0004,
  CREATE_PERMISSION: 0x0008,
  CHANNEL_BIND: 0x0009,
  SEND: 0x0016,
  DATA: 0x0017,
} as const;

/** The attributes of TURN (RFC 8656 §18) and of logins (RFC 8489 §14). */
export const TurnAttribute = {
  USERNAME: 0x0006,
  ERROR_CODE: 0x0009,
  CHANNEL_NUMBER: 0x000c,
  LIFETIME: 0x000d,
  XOR_PEER_ADDRESS: 0x0012,
  DATA: 0x0013,
  REALM: 0x0014,
  NONCE: 0x0015,
  XOR_RELAYED_ADDRESS: 0x0016,
  REQUESTED_TRANSPORT: 0x0019,
} as const;

/** The attributes of a message, in order. */
export type Attributes = readonly (readonly [number, Uint8Array | MappedAddress])[];

const SUCCESS = 0x0100;
const ERROR = 0x0110;
/** Waits for an answer before the question is sent again (RFC 8489 §6.2.1). */
const REPEAT_MS = [500, 1000, 2000, 4000];
const MAX_CHALLENGES = 3;
const TRANSACTION_BYTES = 12;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Login {
  readonly attributes: Attributes;
  readonly key: Uint8Array;
}

interface Waiting {
  readonly type: number;
  readonly key: Uint8Array | undefined;
  readonly resolve: (answer: StunMessage) => void;
  readonly reject: (error: unknown) => void;
}

/** What comes besides answers. None of it may throw. */
export interface ClientHandlers {
  /** A message of a channel, with its head. The bytes stay valid and may be changed in place. */
  onChannelData(bytes: Uint8Array): void;
  /** A peer's data outside of channels. The message is lent, its bytes stay valid. */
  onIndication(message: StunMessage): void;
  onDrained(): void;
  /** Nothing comes any more; not called after `close`. */
  onEnd(reason: string): void;
}

/** One way to one server, and what is asked over it. */
export class TurnClient {
  readonly server: TurnServer;
  readonly #handlers: ClientHandlers;
  readonly #waiting = new Map<string, Waiting>();
  readonly #message = new StunMessage();
  #link: TurnLink | undefined;
  #login: Login | undefined;
  #ended: StreamError | undefined;

  private constructor(server: TurnServer, handlers: ClientHandlers) {
    this.server = server;
    this.#handlers = handlers;
  }

  /** Opens the way. Rejects with a `StreamError`, or with the reason of the signal. */
  static async open(server: TurnServer, handlers: ClientHandlers, signal: AbortSignal): Promise<TurnClient> {
    const client = new TurnClient(server, handlers);
    client.#link = await openLink(server, {
      onMessage: (bytes) => client.#take(bytes),
      onDrained: () => handlers.onDrained(),
      onEnd: (reason) => client.#end(reason),
    }, signal);
    return client;
  }

  /** Bytes that the system has not taken yet. */
  get bytesInFlight(): number {
    return this.#link!.bytesInFlight;
  }

  /** Sends one message. False: it was dropped, since too much is in flight. */
  send(message: Uint8Array): boolean {
    return this.#link!.send(message);
  }

  /**
   * Asks, and answers with a success that the server has signed. Rejects with a `StreamError` when it refuses, says
   * nothing for some seconds, or ends, and with the reason of the signal.
   */
  async ask(type: number, attributes: Attributes, signal: AbortSignal): Promise<StunMessage> {
    for (let challenges = 0;; challenges++) {
      const login = this.#login;
      const transaction = crypto.getRandomValues(new Uint8Array(TRANSACTION_BYTES));
      const message = stunMessage(type, transaction, [...attributes, ...login?.attributes ?? []], login?.key);
      const answer = await this.#exchange({ type, key: login?.key, id: transaction.toHex(), message }, signal);
      if (answer.type === (type | SUCCESS)) return answer;
      // 401: it wants a login, or another one. 438: the nonce is old.
      const isChallenge = answer.errorCode === 438 || (answer.errorCode === 401 && challenges === 0);
      if (!isChallenge || challenges === MAX_CHALLENGES || !this.#learn(answer)) throw this.#refusal(answer);
    }
  }

  async #exchange(
    { type, key, id, message }: {
      readonly type: number;
      readonly key: Uint8Array | undefined;
      readonly id: string;
      readonly message: Uint8Array;
    },
    signal: AbortSignal,
  ): Promise<StunMessage> {
    signal.throwIfAborted();
    if (this.#ended) throw this.#ended;
    const { promise, resolve, reject } = Promise.withResolvers<StunMessage>();
    const silent = () => reject(new StreamError("TIMEOUT", `webrtc: ${this.server.shown} did not answer in time`));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const send = (turn: number) => {
      if (turn === 0 || this.#link!.isLossy) this.send(message);
      const waitMs = REPEAT_MS[turn];
      timer = waitMs === undefined ? setTimeout(silent, REPEAT_MS[0]) : setTimeout(() => send(turn + 1), waitMs);
    };
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiting.set(id, { type, key, resolve, reject });
    send(0);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      this.#waiting.delete(id);
    }
  }

  #take(bytes: Uint8Array): void {
    if (isChannelData(bytes)) return this.#handlers.onChannelData(bytes);
    const message = this.#message;
    if (!isStun(bytes) || !message.read(bytes)) return;
    if (message.type === TurnType.DATA) this.#handlers.onIndication(message);
    else this.#takeAnswer(message);
  }

  // What nobody asked for, or is not signed as it must be, is passed over.
  #takeAnswer(message: StunMessage): void {
    const waiting = this.#waiting.get(message.transaction.toHex());
    const isSuccess = waiting !== undefined && message.type === (waiting.type | SUCCESS);
    if (!waiting || (!isSuccess && message.type !== (waiting.type | ERROR))) return;
    if (isSuccess && waiting.key && !message.isSignedWith(waiting.key)) return;
    const own = new StunMessage();
    if (own.read(message.bytes)) waiting.resolve(own);
  }

  #learn(answer: StunMessage): boolean {
    const { username, credential } = this.server;
    const realm = answer.attribute(TurnAttribute.REALM)?.slice();
    const nonce = answer.attribute(TurnAttribute.NONCE)?.slice();
    if (!realm || !nonce || username === "") return false;
    const key = createHash("md5").update(`${username}:${decoder.decode(realm)}:${credential}`).digest();
    this.#login = {
      key: new Uint8Array(key),
      attributes: [
        [TurnAttribute.USERNAME, encoder.encode(username)],
        [TurnAttribute.REALM, realm],
        [TurnAttribute.NONCE, nonce],
      ],
    };
    return true;
  }

  #refusal(answer: StunMessage): StreamError {
    const { shown, username } = this.server;
    const { errorCode } = answer;
    if (errorCode === 401) {
      const hint = username === "" ? "it needs username and credential" : "check username and credential";
      return new StreamError("UNAUTHORIZED", `webrtc: ${shown} refuses the login of ice_servers: ${hint}`);
    }
    const why = decoder.decode(answer.attribute(TurnAttribute.ERROR_CODE)?.subarray(4)).replace(/[^ -~]/g, "");
    // 486: the user has too many allocations. 508: the server has.
    const code = errorCode === 486 || errorCode === 508 ? "BUSY" : "REFUSED";
    return new StreamError(code, `webrtc: ${shown} answered ${errorCode} ${why.slice(0, 100)}`.trimEnd());
  }

  #end(reason: string): void {
    this.#ended = new StreamError("CLOSED", `webrtc: ${this.server.shown}: ${reason}`);
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#handlers.onEnd(reason);
  }

  /** Ends the way; questions that are open end with an error. */
  close(): void {
    this.#ended ??= new StreamError("CLOSED", `webrtc: ${this.server.shown} is not needed any more`);
    this.#link!.close();
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
  }
}
