/**
 * The contents of handshake messages, which werift reads and writes. Records, order, loss, proofs and time are ours: it is
 * given whole messages in the right order, and its flights are taken from it before it sends them.
 */
import { Buffer } from "node:buffer";
import { type SrtpProfile, srtpProfiles } from "../../core/mod.ts";
import { type HandshakeMessage, MessageType, writeMessage } from "./dtls_inbox.ts";
import { DTLS_1_2, type DtlsRecord, RecordType } from "./dtls_record.ts";

/** What is used of the package. */
export type Werift = Pick<typeof import("werift"), "DtlsServer" | "DtlsClient">;

/** Who we are in handshakes, and what speaks them. */
export interface DtlsIdentity {
  readonly werift: Werift;
  readonly certPem: string;
  readonly keyPem: string;
}

export type DtlsRole = "server" | "client";

/** One record of a flight, not yet numbered or sealed. */
export interface FlightRecord {
  readonly type: number;
  readonly epoch: 0 | 1;
  readonly content: Uint8Array;
}

type Socket = InstanceType<Werift["DtlsServer"]> | InstanceType<Werift["DtlsClient"]>;
type WeriftMessage = Parameters<Socket["onHandleHandshakes"]>[0][number];
type WeriftRecord = Parameters<Socket["cipher"]["decryptPacket"]>[0];

/** Thrown into werift when it begins to send: it would send again by timers that nothing ends. */
class FlightMade extends Error {}

const FINISHED_FLIGHT = { server: 6, client: 5 } as const;
/** TLS_ECDHE_ECDSA_ and TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256. */
const SUITES = [0xc02b, 0xc02f];
// werift's hash and signature of ECDSA with SHA-256.
const ECDSA_SHA256 = { hash: 4, signature: 3 } as const;
const CHANGE_CIPHER: FlightRecord = { type: RecordType.CHANGE_CIPHER, epoch: 0, content: Uint8Array.of(1) };

/** One handshake; see the file's head. */
export class HandshakeEngine {
  readonly role: DtlsRole;
  readonly #socket: Socket;
  readonly #profiles: readonly SrtpProfile[];

  constructor(identity: DtlsIdentity, role: DtlsRole, profiles: readonly SrtpProfile[]) {
    const { werift: { DtlsServer, DtlsClient }, certPem, keyPem } = identity;
    const options = {
      transport: {
        type: "none",
        address: { address: "", family: "", port: 0 },
        closed: false,
        onData: () => {},
        send: (): Promise<void> => {
          throw new FlightMade();
        },
        close: () => Promise.resolve(),
      },
      cert: certPem,
      key: keyPem,
      signatureHash: ECDSA_SHA256,
      // The numbers of RFC 5764 §4.1.2, which are werift's as well.
      srtpProfiles: profiles.map((profile) => srtpProfiles[profile].dtlsId as 1 | 7),
      extendedMasterSecret: true,
      certificateRequest: role === "server",
    };
    this.role = role;
    this.#profiles = profiles;
    this.#socket = role === "server" ? new DtlsServer(options) : new DtlsClient(options);
  }

  /** The profile that both have; `undefined` before the hello, and when there is none. */
  get profile(): SrtpProfile | undefined {
    return this.#profiles.find((profile) => srtpProfiles[profile].dtlsId === this.#socket.srtp.srtpProfile);
  }
  /** Whether records can be sealed and opened. */
  get hasKeys(): boolean {
    return this.#socket.cipher.masterSecret !== undefined;
  }
  get masterSecret(): Uint8Array {
    return this.#socket.cipher.masterSecret;
  }
  /** All messages so far, as the hashes want them. */
  get transcript(): Uint8Array {
    return Buffer.concat(this.#socket.dtls.sortedHandshakeCache.map((message) => message.serialize()));
  }
  /** Both random numbers, the client's first. */
  get randoms(): Uint8Array {
    const { localRandom, remoteRandom } = this.#socket.cipher;
    const [client, server] = this.role === "client" ? [localRandom, remoteRandom] : [remoteRandom, localRandom];
    return Buffer.concat([client.serialize(), server.serialize()]);
  }

  /** The client's first flight. */
  async begin(): Promise<FlightRecord[]> {
    const socket = this.#socket;
    if ("connect" in socket) await this.#untilMade(socket.connect());
    return this.#flight(1);
  }

  /** Takes the client's hello, whatever its cookie: ICE has proven the address. Rejects when nothing is in common. */
  async takeHello({ sequence, body }: HandshakeMessage): Promise<FlightRecord[]> {
    const { dtls } = this.#socket;
    await this.#give({ type: MessageType.CLIENT_HELLO, sequence, body: withCookie(body, new Uint8Array()) });
    if (!this.profile) throw new Error("no SRTP profile is common to both");
    const cookie = dtls.cookie ?? new Uint8Array();
    const hello = this.#toWerift({ type: MessageType.CLIENT_HELLO, sequence, body: withCookie(body, cookie) });
    await this.#untilMade(this.#socket.onHandleHandshakes([hello]));
    // What the hashes are made of is what was really sent, and our numbers begin where no cookie was asked for.
    hello.fragment = Buffer.from(body);
    hello.length = hello.fragment_length = body.length;
    for (const message of dtls.handshakeCache[4]!.data) if (message !== hello) message.message_seq--;
    dtls.sequenceNumber--;
    return this.#flight(4, hello);
  }

  /** Takes any other message, which has been checked; answers what is to be sent then. Rejects when it makes no sense. */
  async take(message: HandshakeMessage): Promise<FlightRecord[]> {
    await this.#give(message);
    if (message.type === MessageType.HELLO_VERIFY) return this.#flight(3);
    if (message.type === MessageType.SERVER_HELLO) this.#checkServerHello();
    const ends = this.role === "server" ? MessageType.FINISHED : MessageType.SERVER_DONE;
    return message.type === ends ? this.#flight(FINISHED_FLIGHT[this.role]) : [];
  }

  #checkServerHello(): void {
    if (!SUITES.includes(this.#socket.cipher.cipherSuite)) {
      throw new Error("the peer chose a cipher that was not offered");
    }
    if (!this.profile) throw new Error("no SRTP profile is common to both");
  }

  async #give(message: HandshakeMessage): Promise<void> {
    const given = this.#toWerift(message);
    try {
      await this.#untilMade(this.#socket.onHandleHandshakes([given]));
    } catch (error) {
      // It is remembered before it is understood; another may come in its place.
      for (const kept of Object.values(this.#socket.dtls.handshakeCache)) {
        kept.data = kept.data.filter((one) => one !== given);
      }
      throw error;
    }
  }

  async #untilMade(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof FlightMade)) throw error;
    }
  }

  // What werift uses of the class, which it does not export.
  #toWerift(message: HandshakeMessage): WeriftMessage {
    return {
      msg_type: message.type,
      length: message.body.length,
      message_seq: message.sequence,
      fragment_offset: 0,
      fragment_length: message.body.length,
      fragment: Buffer.from(message.body),
      summary: {},
      serialize() {
        return Buffer.from(writeMessage({ type: this.msg_type, sequence: this.message_seq, body: this.fragment }));
      },
    } as WeriftMessage;
  }

  #flight(number: number, without?: WeriftMessage): FlightRecord[] {
    const messages = this.#socket.dtls.handshakeCache[number]?.data ?? [];
    return messages.filter((message) => message !== without).flatMap((message): FlightRecord[] => {
      const content = message.serialize();
      return message.msg_type === MessageType.FINISHED
        ? [CHANGE_CIPHER, { type: RecordType.HANDSHAKE, epoch: 1, content }]
        : [{ type: RecordType.HANDSHAKE, epoch: 0, content }];
    });
  }

  /** Encrypts the content of a record of epoch 1. No number may come twice. */
  seal(type: number, sequence: number, content: Uint8Array): DtlsRecord {
    const sealed = this.#socket.cipher.encryptPacket(weriftRecord({ type, sequence, fragment: content }));
    return { type, version: DTLS_1_2, epoch: 1, sequence, fragment: sealed.fragment };
  }

  /** The content of a record of epoch 1; `undefined` when the peer did not make it. */
  open(record: DtlsRecord): Uint8Array | undefined {
    // The number that is told with it, and the tag.
    if (!this.hasKeys || record.fragment.length < 8 + 16) return undefined;
    try {
      return this.#socket.cipher.decryptPacket(weriftRecord(record));
    } catch {
      // The tag is wrong: nothing is known of who sent it.
      return undefined;
    }
  }

  /** Keys and salts of a profile (RFC 5764 §4.2). */
  srtpKeys(profile: SrtpProfile) {
    const { keyBytes, saltBytes } = srtpProfiles[profile];
    return this.#socket.extractSessionKeys(keyBytes, saltBytes);
  }
}

function weriftRecord({ type, sequence, fragment }: Pick<DtlsRecord, "type" | "sequence" | "fragment">): WeriftRecord {
  return {
    recordLayerHeader: {
      contentType: type,
      protocolVersion: { major: DTLS_1_2 >>> 8, minor: DTLS_1_2 & 0xff },
      epoch: 1,
      sequenceNumber: sequence,
      contentLen: fragment.length,
    },
    fragment: Buffer.from(fragment.buffer, fragment.byteOffset, fragment.byteLength),
  } as WeriftRecord;
}

/** A hello (RFC 6347 §4.2.1) with another cookie. Throws a `RangeError` when it is none. */
function withCookie(body: Uint8Array, cookie: Uint8Array): Uint8Array {
  // Version and random number, then the session id.
  const at = 34 + 1 + (body[34] ?? 0);
  const rest = at + 1 + (body[at] ?? 0);
  if (rest >= body.length) throw new RangeError("the hello ends early");
  return Buffer.concat([body.subarray(0, at), Uint8Array.of(cookie.length), cookie, body.subarray(rest)]);
}
