import {
  asOwnCall,
  connectTcp,
  connectTls,
  LoginClient,
  messageOf,
  parseSdp,
  plainHost,
  redactUrls,
  type SdpSession,
  type StreamConn,
  StreamError,
  timeLimit,
} from "../../core/mod.ts";
import { ClientConnection } from "./client_connection.ts";
import { aggregateUrl, controlBase, controlUrl, withHost, withoutLogin } from "./control_url.ts";
import { RtspHeaders, type RtspResponse } from "./message.ts";
import { parseTarget, type RtspSourceOptions, type RtspTarget, SOFTWARE } from "./options.ts";
import { parseTransports, type TransportSpec } from "./transport.ts";
import { connectWebSocket } from "./websocket.ts";

const MAX_REDIRECTS = 5;
/** Logins and bypasses that one request may need. */
const MAX_TRIES = 4;
/** Sessions that are said to last longer are kept alive as if they did not: timers have an end. */
const MAX_SESSION_S = 3600;
/** How long a camera may take to accept the end. */
const TEARDOWN_MS = 500;

/** For whom a camera is dialled. */
export interface Dialler {
  /** Its name, or its URL. */
  readonly stream: string;
  /** Whether the address is the config's: if it leads back to this program, it is let in there as the owner. */
  readonly isTrusted: boolean;
}

/** What DESCRIBE told. */
export interface Description {
  readonly sdp: SdpSession;
  readonly text: string;
  readonly base: string;
}

/**
 * The dialogue with a camera: one request after the other, with logins, redirects and the workarounds of contract §5.3.
 * Errors name the stream and what to do.
 */
export class RtspClient {
  readonly #options: RtspSourceOptions;
  readonly #stream: string;
  readonly #isTrusted: boolean;
  #target: RtspTarget;
  #login: LoginClient | undefined;
  #connection: ClientConnection | undefined;
  #session: string | undefined;
  #sessionTimeoutS: number | undefined;
  #hasBypass = false;
  #description: Description | undefined;
  // Of connections before the present one.
  #bytesReceived = 0;
  #bytesSent = 0;

  constructor(target: RtspTarget, options: RtspSourceOptions, { stream, isTrusted }: Dialler) {
    this.#target = target;
    this.#options = options;
    this.#stream = redactUrls(stream);
    this.#isTrusted = isTrusted;
    this.#login = target.login && new LoginClient(target.login);
  }

  get connection(): ClientConnection | undefined {
    return this.#connection;
  }
  /** The URL as the last redirect has it, without login. */
  get url(): string {
    return this.#target.url;
  }
  get bytesReceived(): number {
    return this.#bytesReceived + (this.#connection?.bytesReceived ?? 0);
  }
  get bytesSent(): number {
    return this.#bytesSent + (this.#connection?.bytesSent ?? 0);
  }
  /** How often the camera wants to hear of us: 5 s before its session runs out, half-way of a short one, or every 25 s. */
  get keepAliveMs(): number {
    const timeoutS = Math.min(this.#sessionTimeoutS || 30, MAX_SESSION_S);
    return (timeoutS > 5 ? timeoutS - 5 : timeoutS / 2) * 1000;
  }

  /** `camera "yard"`, for messages. */
  get name(): string {
    return `camera "${this.#stream}"`;
  }
  /** Where to look when something about the source is wrong. */
  get #place(): string {
    return /:\/\//.test(this.#stream) ? "its URL" : `streams.${this.#stream}`;
  }

  /** Connects, in place of an earlier connection. */
  async connect(signal: AbortSignal): Promise<void> {
    this.close();
    const { transport, timeoutMs } = this.#options;
    const { host, port } = this.#target;
    const where = transport.kind === "websocket" ? redactUrls(transport.url) : `${host}:${port}`;
    const late = () =>
      new StreamError("TIMEOUT", `rtsp: ${this.name} does not answer at ${where} within ${timeoutMs / 1000} s`);
    using limit = timeLimit(timeoutMs, late, signal);
    let conn: StreamConn;
    try {
      conn = await this.#dial(limit.signal);
    } catch (error) {
      if (limit.signal.aborted) throw limit.signal.reason;
      if (error instanceof StreamError) throw error;
      const reason = messageOf(error).replace(/ \(os error \d+\)$/, "");
      const message = `rtsp: ${this.name} cannot be reached at ${where}: ${reason}, is it on and the address right?`;
      throw new StreamError("OFFLINE", message, { cause: error });
    }
    if (signal.aborted) {
      conn.close();
      throw signal.reason;
    }
    this.#connection = new ClientConnection(conn);
    this.#login?.reconnected();
    this.#session = undefined;
  }

  async #dial(signal: AbortSignal): Promise<StreamConn> {
    const { transport } = this.#options;
    if (transport.kind === "websocket") return connectWebSocket(transport.url, signal);
    const { host, port, isTls, checksCertificate } = this.#target;
    const conn = isTls
      ? await connectTls({ host, port }, { signal, insecure: !checksCertificate })
      : await connectTcp({ host, port }, { signal });
    return this.#isTrusted ? conn : asOwnCall(conn);
  }

  /** Learns what the camera gives; `asksForSpeaker` also what it takes (ONVIF Profile T §7.15). */
  async describe(asksForSpeaker: boolean, signal: AbortSignal): Promise<Description> {
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const response = await this.#request("DESCRIBE", this.#target.url, [
        ["Accept", "application/sdp"],
        ["Require", asksForSpeaker ? "www.onvif.org/ver20/backchannel" : undefined],
      ], signal);
      const location = response.headers.get("Location");
      if (response.status >= 300 && response.status < 400 && location) {
        this.#redirect(location);
        await this.connect(signal);
        continue;
      }
      if (response.status !== 200) throw this.#refusal("DESCRIBE", response);
      const base = withoutLogin(controlBase(response.headers, this.#target.url));
      return this.#description = { sdp: this.#read(response.body), text: response.body, base };
    }
    const text = `rtsp: ${this.name} redirects more than ${MAX_REDIRECTS} times: check the address in ${this.#place}`;
    throw new StreamError("PROTOCOL", text);
  }

  #read(description: string): SdpSession {
    let sdp: SdpSession;
    try {
      sdp = parseSdp(description);
    } catch (error) {
      const text = `rtsp: ${this.name} describes nothing: ${messageOf(error)}: check the path in ${this.#place}`;
      throw new StreamError("PROTOCOL", text, { cause: error });
    }
    if (sdp.medias.some(({ codecs }) => codecs.length > 0)) return sdp;
    const text = `rtsp: ${this.name} describes no picture and no sound: check the path in ${this.#place}`;
    throw new StreamError("PROTOCOL", text);
  }

  #redirect(location: string): void {
    const url = location.startsWith("/")
      ? controlBase(new RtspHeaders([["Content-Base", location]]), this.#target.url)
      : location;
    const next = parseTarget(url);
    const { login, checksNothing } = this.#target;
    this.#target = {
      ...next,
      login: next.login ?? login,
      ...(checksNothing ? { checksCertificate: false, checksNothing } : {}),
    };
    this.#login = this.#target.login && new LoginClient(this.#target.login);
  }

  /** Says what will be pushed; `setup` then tells of each media how. */
  async announce(description: string, signal: AbortSignal): Promise<void> {
    const type = [["Content-Type", "application/sdp"]] as const;
    const response = await this.#request("ANNOUNCE", this.#target.url, type, signal, description);
    if (response.status !== 200) throw this.#refusal("ANNOUNCE", response);
  }

  /** Begins to push. */
  async record(signal: AbortSignal): Promise<void> {
    const response = await this.#request("RECORD", this.#target.url, [["Range", "npt=0.000-"]], signal);
    if (response.status !== 200) throw this.#refusal("RECORD", response);
  }

  /** Asks for a media; answers the transport that the camera chose. */
  async setup(control: string | undefined, transport: string, signal: AbortSignal): Promise<TransportSpec> {
    const url = controlUrl(this.#description?.base ?? this.#target.url, control);
    const response = await this.#request("SETUP", url, [["Transport", transport]], signal);
    if (response.status !== 200) throw this.#refusal("SETUP", response);
    const session = /^\s*([^;\s]+)\s*(?:;.*?timeout\s*=\s*(\d+))?/i.exec(response.headers.get("Session") ?? "");
    if (session) {
      this.#session = session[1];
      if (session[2]) this.#sessionTimeoutS = Number(session[2]);
    }
    return parseTransports(response.headers.get("Transport") ?? transport)[0] ?? parseTransports(transport)[0]!;
  }

  /** Starts media. Cameras may send some before they answer, or never answer: the answer is told when it comes. */
  play(onAnswer: (error: StreamError | undefined) => void, tries = MAX_TRIES): void {
    this.#post("PLAY", (response) => {
      if (response.status === 401 && tries > 1 && this.#challenge(response) === "answer") {
        return this.play(onAnswer, tries - 1);
      }
      onAnswer(response.status < 300 ? undefined : this.#refusal("PLAY", response));
    });
  }

  /** Tells the camera that we are there; the answer may be missing. */
  keepAlive(method: string, onAnswer: (response: RtspResponse) => void): void {
    this.#post(method, (response) => {
      if (response.status === 401 && this.#challenge(response) === "answer") this.#post(method, onAnswer);
      else onAnswer(response);
    });
  }

  #post(method: string, onAnswer: (response: RtspResponse) => void): void {
    const url = this.#requestUrl(this.#aggregateUrl);
    this.#connection?.post(method, url, this.#headers(method, url), {
      onAnswer: (response) => {
        if (response.status !== 401) this.#login?.accepted();
        onAnswer(response);
      },
    });
  }

  get #aggregateUrl(): string {
    const description = this.#description;
    return description ? aggregateUrl(description.base, description.sdp.control) : this.#target.url;
  }

  /** Ends the session and the connection. */
  async teardown(): Promise<void> {
    if (this.#session) this.#post("TEARDOWN", () => {});
    await this.#connection?.finish(TEARDOWN_MS);
  }

  close(): void {
    const connection = this.#connection;
    if (!connection) return;
    this.#bytesReceived += connection.bytesReceived;
    this.#bytesSent += connection.bytesSent;
    this.#connection = undefined;
    connection.close();
  }

  #requestUrl(url: string): string {
    return this.#hasBypass ? withHost(url, "127.0.0.1") : url;
  }

  #headers(method: string, url: string, more: readonly (readonly [string, string | undefined])[] = []): RtspHeaders {
    return new RtspHeaders([
      ["User-Agent", SOFTWARE],
      ["Session", this.#session],
      ["Authorization", this.#login?.authorize(method, url)],
      ...more,
    ]);
  }

  async #request(
    method: string,
    plainUrl: string,
    more: readonly (readonly [string, string | undefined])[],
    signal: AbortSignal,
    body?: string,
  ): Promise<RtspResponse> {
    let hasReconnected = this.#session !== undefined;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const url = this.#requestUrl(plainUrl);
      const headers = this.#headers(method, url, more);
      let response: RtspResponse;
      try {
        if (!this.#connection) throw new StreamError("CLOSED", "closed by us");
        response = await this.#connection.request(method, url, headers, this.#options.timeoutMs, signal, body);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const code = error instanceof StreamError ? error.code : "OFFLINE";
        // Some cameras close after a 401, and servers that nothing was announced to while the source was being attached.
        if (code === "CLOSED" && (tries > 0 || method === "ANNOUNCE") && !hasReconnected) {
          hasReconnected = true;
          await this.connect(signal);
          continue;
        }
        const cure = method === "DESCRIBE" ? `: check host and port in ${this.#place}` : "";
        const text = `rtsp: ${this.name} broke off at ${method}: ${messageOf(error)}${cure}`;
        throw new StreamError(code, text, { cause: error });
      }
      if (response.status !== 401) {
        this.#login?.accepted();
        return response;
      }
      const result = this.#challenge(response);
      if (result !== "answer") throw this.#loginError(response, result);
    }
    const text = `rtsp: ${this.name} asks for the password again and again: check user and password in ${this.#place}`;
    throw new StreamError("UNAUTHORIZED", text);
  }

  #challenge(response: RtspResponse): ReturnType<LoginClient["challenge"]> | "missing" {
    const values = response.headers.all("WWW-Authenticate");
    if (this.#login) return this.#login.challenge(values);
    // Quirk(TP-Link Tapo): its own cloud logs in as 127.0.0.1, and so may we when no login is given.
    if (!this.#hasBypass && values.some((value) => value.includes("TP-LINK Streaming Media"))) {
      this.#hasBypass = true;
      return "answer";
    }
    return "missing";
  }

  #loginError(response: RtspResponse, result: "refused" | "unsupported" | "missing"): StreamError {
    const offered = response.headers.all("WWW-Authenticate").map((value) => value.split(/[\s,]/)[0]).join(", ");
    const text = {
      refused: `refused the password (401 ${this.#login?.scheme}): check user and password in ${this.#place}`,
      missing: `wants a password (401 ${offered}): put user:password@ before the host in ${this.#place}`,
      unsupported: `asks for a login that is not known (401 ${
        offered || "without a scheme"
      }): expected Basic or Digest`,
    }[result];
    return new StreamError("UNAUTHORIZED", `rtsp: ${this.name} ${text}`);
  }

  #refusal(method: string, response: RtspResponse): StreamError {
    const { status } = response;
    const answer = `${status} ${response.reason}`.trim();
    const at = `${this.name} answered ${answer} to ${method}`;
    if (status === 401 || status === 403) {
      return new StreamError("UNAUTHORIZED", `rtsp: ${at}: check user and password in ${this.#place}`);
    }
    if (status === 404) return new StreamError("NOT_FOUND", `rtsp: ${at}: check the path in ${this.#place}`);
    if (status === 461) {
      return new StreamError(
        "REFUSED",
        `rtsp: ${at}: it does not know this transport, change #transport in ${this.#place}`,
      );
    }
    if (status === 453 || status === 503) {
      return new StreamError(
        "BUSY",
        `rtsp: ${at}: too many viewers or too little bandwidth, close other connections to it`,
      );
    }
    return new StreamError("PROTOCOL", `rtsp: ${at}`);
  }

  /** Where the camera is, as sockets know it. */
  get remoteHost(): string {
    return plainHost(this.#connection?.remoteAddress.host ?? "");
  }
  get localHost(): string {
    return plainHost(this.#connection?.localAddress.host ?? "");
  }
}
