/**
 * DTLS-SRTP with one peer (RFC 5764): proves that it is the one whose certificate its description named, and agrees on the
 * keys of the media. Forged, repeated and broken datagrams are counted and change nothing; what ends it before it is
 * connected is time.
 */
import { Deadline, messageOf, type SrtpProfile } from "../../core/mod.ts";
import type { Certificate } from "./certificate.ts";
import { type DtlsRole, type FlightRecord, HandshakeEngine } from "./dtls_engine.ts";
import { type HandshakeMessage, MessageInbox, MessageType } from "./dtls_inbox.ts";
import { certificateOf, hasFingerprint, isFinishedOf, isSignedBy } from "./dtls_proof.ts";
import { DTLS_1_2, type DtlsRecord, packRecords, readRecords, RecordType, writeRecord } from "./dtls_record.ts";
import { turns } from "./dtls_turns.ts";
import type { Fingerprint } from "./sdp.ts";

/** What the media is encrypted with. */
export interface DtlsKeys {
  readonly profile: SrtpProfile;
  readonly localKey: Uint8Array;
  readonly localSalt: Uint8Array;
  readonly remoteKey: Uint8Array;
  readonly remoteSalt: Uint8Array;
}

/** What a session is made of. The callbacks may not throw. */
export interface DtlsSessionOptions {
  readonly certificate: Certificate;
  /** `client`: we begin, at once. */
  readonly role: DtlsRole;
  readonly remoteFingerprint: Fingerprint;
  /** Best first; the server chooses. */
  readonly profiles?: readonly SrtpProfile[];
  /** From the beginning until it must be connected; 10 s. */
  readonly limitMs?: number;
  /** Sends a datagram to the peer; it may get lost. */
  readonly send: (bytes: Uint8Array) => void;
  readonly onConnected: (keys: DtlsKeys) => void;
  /** It came to nothing, for this reason, which is for people. */
  readonly onFailed: (reason: string) => void;
  /** The peer ended it. */
  readonly onClosed: () => void;
}

const PROFILES: readonly SrtpProfile[] = ["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"];
const LIMIT_MS = 10_000;
/** What passes through every tunnel without fragments. */
const DATAGRAM_BYTES = 1200;
const FIRST_RESEND_MS = 100;
const LAST_RESEND_MS = 1600;
/** Answers to a peer's repetition; it repeats itself a dozen times before it gives up. */
const MAX_REPEATS = 24;
const MIN_REPEAT_MS = 20;
const MAX_WAITING = 16;
/** A forged hello may be first: the peer's own counts then. */
const MAX_HELLOS = 8;
const MAX_EARLY = 4;
const CLOSE_NOTIFY = Uint8Array.of(1, 0);
const HANDSHAKE_FAILURE = Uint8Array.of(2, 40);
// RFC 5246 §7.3; a server that asks for no certificate leaves one message out.
const SERVER_ORDER = [
  MessageType.CERTIFICATE,
  MessageType.CLIENT_KEY,
  MessageType.CERTIFICATE_VERIFY,
  MessageType.FINISHED,
];
const CLIENT_ORDER = [
  MessageType.HELLO_VERIFY,
  MessageType.SERVER_HELLO,
  MessageType.CERTIFICATE,
  MessageType.SERVER_KEY,
  MessageType.CERTIFICATE_REQUEST,
  MessageType.SERVER_DONE,
  MessageType.FINISHED,
];
const OPTIONAL: readonly number[] = [MessageType.HELLO_VERIFY, MessageType.CERTIFICATE_REQUEST];

/** See the file's head. */
export class DtlsSession implements Disposable {
  readonly #options: DtlsSessionOptions;
  readonly #deadline: Deadline;
  readonly #waiting: Uint8Array[] = [];
  #engine: HandshakeEngine;
  #inbox = new MessageInbox();
  #order: readonly number[];
  #state: "handshake" | "connected" | "closed" = "handshake";
  #hello: HandshakeMessage | undefined;
  #hellos = 0;
  #certificate: Uint8Array | undefined;
  // Sealed records that overtook those that make the keys.
  #early: DtlsRecord[] = [];
  #flight: readonly FlightRecord[] = [];
  readonly #sequences: [number, number] = [0, 0];
  #resendTimer: ReturnType<typeof setTimeout> | undefined;
  #resendMs = FIRST_RESEND_MS;
  #repeats = 0;
  #repeatedMs = -Infinity;
  #dropped = 0;
  #trouble: string | undefined;

  constructor(options: DtlsSessionOptions) {
    this.#options = options;
    this.#order = options.role === "server" ? SERVER_ORDER : CLIENT_ORDER;
    this.#engine = this.#newEngine();
    const { limitMs = LIMIT_MS } = options;
    this.#deadline = new Deadline(
      limitMs,
      () => this.#fail(this.#trouble ?? `the DTLS handshake did not finish in ${limitMs / 1000} s`),
    );
    if (options.role === "client") turns.add(() => this.#begin());
  }

  /** What was wrong with the newest message that was refused; for people. */
  get trouble(): string | undefined {
    return this.#trouble;
  }
  /** Datagrams, records and messages that were refused. */
  get dropped(): number {
    return this.#dropped;
  }

  #newEngine(): HandshakeEngine {
    const { certificate, role, profiles = PROFILES } = this.#options;
    return new HandshakeEngine(certificate.identity, role, profiles);
  }

  async #begin(): Promise<void> {
    if (this.#state !== "handshake") return;
    try {
      this.#begunFlight(await this.#engine.begin());
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  /** The peer can be reached now: what waits for an answer is sent at once. */
  retry(): void {
    if (this.#state !== "handshake" || this.#flight.length === 0) return;
    this.#resendMs = FIRST_RESEND_MS;
    this.#transmit();
  }

  /** Takes a datagram, whose bytes stay as they are. */
  receive(bytes: Uint8Array): void {
    // Once it is connected, only what is sealed is the peer's for sure.
    const isRefused = this.#state === "connected" && !readRecords(bytes).some(({ epoch }) => epoch === 1);
    if (this.#state === "closed" || isRefused || this.#waiting.length >= MAX_WAITING) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(bytes);
    if (this.#waiting.length === 1) turns.add(() => this.#step());
  }

  // What costs nothing is dealt with on the way to what does.
  async #step(): Promise<void> {
    let hasWorked = false;
    for (let bytes = this.#waiting[0]; bytes && !hasWorked; bytes = this.#waiting[0]) {
      try {
        hasWorked = await this.#onDatagram(bytes);
      } catch (error) {
        hasWorked = true;
        this.#refuse(`a message of the handshake makes no sense: ${messageOf(error)}`);
      }
      this.#waiting.shift();
    }
    if (this.#waiting.length > 0) turns.add(() => this.#step());
  }

  /** Answers whether a message was taken, which costs time. */
  async #onDatagram(bytes: Uint8Array): Promise<boolean> {
    const records = readRecords(bytes);
    if (records.length === 0) this.#dropped++;
    let isRepeat = false;
    let hasWorked = false;
    for (const record of records) {
      if (record.epoch === 1) isRepeat = this.#onSealed(record) || isRepeat;
      else if (record.epoch === 0 && this.#state === "handshake") isRepeat = this.#onClear(record) || isRepeat;
      else this.#dropped++;
      hasWorked = await this.#takeMessages() || hasWorked;
    }
    if (isRepeat) this.#repeat();
    return hasWorked;
  }

  // True: the peer has not got what we sent.
  #onClear({ type, fragment }: DtlsRecord): boolean {
    if (type === RecordType.ALERT && fragment[0] === 2) {
      this.#trouble ??= `the peer ended the handshake (alert ${fragment[1]})`;
    }
    // A Finished is sealed; in the clear it is forged.
    if (type !== RecordType.HANDSHAKE || fragment[0] === MessageType.FINISHED) return false;
    if (this.#isOtherHello(fragment)) this.#startAgain();
    return this.#inbox.push(fragment);
  }

  #onSealed(record: DtlsRecord): boolean {
    if (!this.#engine.hasKeys) {
      if (this.#early.length < MAX_EARLY) this.#early.push(record);
      return false;
    }
    // Data channels are not spoken.
    if (record.type === RecordType.DATA) return false;
    const content = this.#engine.open(record);
    if (!content) this.#dropped++;
    else if (record.type === RecordType.ALERT && this.#state === "connected") this.#end(() => this.#options.onClosed());
    else if (record.type === RecordType.HANDSHAKE && content[0] === MessageType.FINISHED) {
      return this.#inbox.push(content);
    }
    return false;
  }

  // Until the peer has answered, another hello is as good as the first: one of them may be forged.
  #isOtherHello(fragment: Uint8Array): boolean {
    if (!this.#hello || fragment[0] !== MessageType.CLIENT_HELLO || this.#certificate) return false;
    const { body } = this.#hello;
    const other = fragment.subarray(12);
    const isWhole = other.length === ((fragment[1]! << 16) | (fragment[2]! << 8) | fragment[3]!);
    const isSame = other.length === body.length && other.every((byte, i) => byte === body[i]);
    return isWhole && !isSame && this.#hellos < MAX_HELLOS;
  }

  #startAgain(): void {
    this.#stopResending();
    this.#flight = [];
    this.#hello = undefined;
    this.#order = SERVER_ORDER;
    this.#inbox = new MessageInbox();
    this.#engine = this.#newEngine();
  }

  async #takeMessages(): Promise<boolean> {
    let hasTaken = false;
    for (let message = this.#inbox.next; message && this.#state === "handshake"; message = this.#inbox.next) {
      if (!await this.#take(message)) return true;
      hasTaken = true;
      if (!this.#engine.hasKeys) continue;
      for (const record of this.#early.splice(0)) this.#onSealed(record);
    }
    return hasTaken;
  }

  async #take(message: HandshakeMessage): Promise<boolean> {
    const isHello = this.#options.role === "server" && !this.#hello;
    const at = isHello ? -1 : this.#placeOf(message.type);
    const objection = isHello
      ? this.#objectionToHello(message)
      : at < 0
      ? "a message comes out of turn"
      : this.#objectionTo(message);
    if (objection !== undefined) {
      this.#inbox.refuse();
      this.#refuse(objection);
      return false;
    }
    let flight: FlightRecord[];
    try {
      flight = isHello ? await this.#engine.takeHello(message) : await this.#engine.take(message);
    } catch (error) {
      this.#inbox.refuse();
      if (isHello) this.#engine = this.#newEngine();
      throw error;
    }
    if (this.#state !== "handshake") return false;
    this.#inbox.accept();
    if (isHello) this.#hello = message;
    this.#order = this.#order.slice(at + 1);
    if (message.type === MessageType.CERTIFICATE) this.#certificate = certificateOf(message.body);
    if (this.#order.length === 0) this.#connect(flight);
    else if (flight.length > 0) this.#begunFlight(flight);
    return true;
  }

  // Where in what is still to come a message stands; -1: nowhere, or behind something that may not be left out.
  #placeOf(type: number): number {
    const at = this.#order.indexOf(type);
    return this.#order.slice(0, Math.max(0, at)).every((skipped) => OPTIONAL.includes(skipped)) ? at : -1;
  }

  #objectionToHello({ type }: HandshakeMessage): string | undefined {
    if (type !== MessageType.CLIENT_HELLO) return "the handshake does not begin with a hello";
    return ++this.#hellos > MAX_HELLOS ? "there are too many hellos" : undefined;
  }

  #objectionTo({ type, body }: HandshakeMessage): string | undefined {
    const engine = this.#engine;
    const { remoteFingerprint, role } = this.#options;
    switch (type) {
      case MessageType.CERTIFICATE: {
        const certificate = certificateOf(body);
        if (!certificate) return "the peer shows no certificate";
        return hasFingerprint(certificate, remoteFingerprint)
          ? undefined
          : "the peer's certificate is not the one that its description names";
      }
      case MessageType.CERTIFICATE_VERIFY:
        return isSignedBy(this.#certificate!, [engine.transcript], body)
          ? undefined
          : "the peer does not prove that its certificate is its own";
      case MessageType.SERVER_KEY: {
        // The curve's kind, its number, and the point with its length.
        const signedBytes = 4 + (body[3] ?? 0);
        const signed = [engine.randoms, body.subarray(0, signedBytes)];
        return isSignedBy(this.#certificate!, signed, body.subarray(signedBytes))
          ? undefined
          : "the peer does not prove that its certificate is its own";
      }
      case MessageType.FINISHED:
        return isFinishedOf(role === "server" ? "client" : "server", body, engine.masterSecret, engine.transcript)
          ? undefined
          : "the two sides do not see the same handshake";
      default:
        return undefined;
    }
  }

  #refuse(why: string): void {
    this.#dropped++;
    this.#trouble = why;
  }

  #connect(lastFlight: FlightRecord[]): void {
    const { onConnected } = this.#options;
    const profile = this.#engine.profile!;
    this.#state = "connected";
    this.#deadline[Symbol.dispose]();
    this.#stopResending();
    this.#early = [];
    // A client's last flight has arrived: it is not asked for again.
    this.#flight = lastFlight;
    this.#transmit();
    onConnected({ profile, ...this.#engine.srtpKeys(profile) });
  }

  #begunFlight(flight: readonly FlightRecord[]): void {
    this.#flight = flight;
    this.#resendMs = FIRST_RESEND_MS;
    this.#transmit();
  }

  #repeat(): void {
    const nowMs = performance.now();
    if (this.#state === "closed" || this.#repeats >= MAX_REPEATS || nowMs - this.#repeatedMs < MIN_REPEAT_MS) return;
    this.#repeats++;
    this.#repeatedMs = nowMs;
    this.#transmit();
  }

  // RFC 6347 §4.2.4: a flight is sent again until the next one of the peer has begun.
  #transmit(): void {
    this.#send(this.#flight);
    this.#resendLater();
  }

  #resendLater(): void {
    this.#stopResending();
    if (this.#state !== "handshake" || this.#flight.length === 0) return;
    this.#resendTimer = setTimeout(() => {
      this.#resendMs = Math.min(this.#resendMs * 2, LAST_RESEND_MS);
      // An answer may be among what is waiting for its turn.
      if (this.#waiting.length === 0) this.#transmit();
      else this.#resendLater();
    }, this.#resendMs);
  }

  #stopResending(): void {
    clearTimeout(this.#resendTimer);
    this.#resendTimer = undefined;
  }

  #send(records: readonly FlightRecord[]): void {
    const written = records.map(({ type, epoch, content }) => {
      const sequence = this.#sequences[epoch]++;
      return writeRecord(
        epoch === 1
          ? this.#engine.seal(type, sequence, content)
          : { type, version: DTLS_1_2, epoch, sequence, fragment: content },
      );
    });
    for (const datagram of packRecords(written, DATAGRAM_BYTES)) this.#options.send(datagram);
  }

  #fail(reason: string): void {
    this.#send([{ type: RecordType.ALERT, epoch: 0, content: HANDSHAKE_FAILURE }]);
    this.#end(() => this.#options.onFailed(reason));
  }

  #end(tell: () => void): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#deadline[Symbol.dispose]();
    this.#stopResending();
    this.#waiting.length = 0;
    this.#early = [];
    tell();
  }

  /** Ends it and tells the peer. */
  close(): void {
    if (this.#state === "connected") this.#send([{ type: RecordType.ALERT, epoch: 1, content: CLOSE_NOTIFY }]);
    this.#end(() => {});
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
