import { redactUrls, StreamError } from "../util/errors.ts";
import { DEFAULT_LINGER_MS, parseSourceText, type SourceText } from "./entry.ts";
import { openSource, type Want } from "./open_source.ts";
import { Slot, type SlotHost } from "./slot.ts";
import type { Session } from "./session.ts";
import type { Producer, SourceState } from "./types.ts";
import { abortError, orAborted, toError } from "./wait.ts";

/** A dial under way, shared by all who wait for it. */
interface Dial {
  readonly controller: AbortController;
  readonly promise: Promise<void>;
  waiters: number;
}

/** For openers that forget to give up. */
const DIAL_TIMEOUT_MS = 60_000;
/** A source that refused the login is left alone this long: more wrong passwords lock accounts. */
const REFUSED_MS = 60_000;
/** A session that ends sooner is not started again at once. */
const SHORT_SESSION_MS = 1000;

/** How long to wait before the next try, after so many failures in a row (contract §2.5). */
export function retryDelayMs(failures: number): number {
  if (failures < 5) return 1000;
  if (failures < 10) return 5000;
  return failures < 20 ? 10_000 : 60_000;
}

/** The dial ended because of us, not because of the source. */
function isGivenUp({ signal }: AbortController): boolean {
  return signal.aborted && signal.reason instanceof StreamError && signal.reason.code === "CLOSED";
}

/** What a source slot is made with. */
export interface SlotOptions {
  /** The config file or a trusted caller named it: redirects may lead to schemes that run commands. */
  readonly isTrusted: boolean;
  /** The stream's own linger; `#linger=` of the source goes before it. */
  readonly lingerMs?: number;
}

/** One configured source: dialled when somebody needs it, kept while somebody reads it, redialled when it ends. */
export class SourceSlot extends Slot {
  #configured: string;
  // With `{input}`, to be filled anew each time.
  #template: string | undefined;
  #source: string;
  #text: SourceText;
  #options: SlotOptions;
  #dialing: Dial | undefined;
  #cancelRetry: (() => void) | undefined;
  #cancelLinger: (() => void) | undefined;
  #failures = 0;
  #refusal: { readonly error: Error; readonly untilMs: number } | undefined;
  #ending: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(host: SlotHost, source: string, options: SlotOptions) {
    super(host);
    this.#configured = source;
    this.#template = source.includes("{input}") ? source : undefined;
    this.#source = source;
    this.#text = parseSourceText(source);
    this.#options = options;
  }

  get source(): string {
    return this.#source;
  }
  /** The source as it was set: of a template, the template. */
  get configured(): string {
    return this.#configured;
  }
  /** An `{input}` waits to be filled in; it cannot be dialled. */
  get isTemplate(): boolean {
    return this.#source === this.#template;
  }
  /** Where its viewers start. */
  get startAt(): SourceText["start"] {
    return this.#text.start;
  }
  override get canDial(): boolean {
    return !this.isTemplate;
  }
  get #lingerMs(): number {
    return this.#text.lingerMs ?? this.#options.lingerMs ?? DEFAULT_LINGER_MS;
  }

  /** Replaces the source; what runs is left running until its end, unless `restarts`. The same one again stays trusted. */
  setSource(source: string, options: SlotOptions, restarts: boolean): void {
    if (source === this.#configured) {
      this.#options = { ...options, isTrusted: options.isTrusted || this.#options.isTrusted };
      return;
    }
    this.#configured = source;
    this.#template = source.includes("{input}") ? source : undefined;
    this.#options = options;
    this.#change(source, restarts);
  }

  /** Fills the template's `{input}`, or replaces the source where there is none; what runs is left running. */
  fill(input: string, isTrusted: boolean): void {
    const template = this.#template;
    if (template === undefined) return this.setSource(input, { ...this.#options, isTrusted }, false);
    this.#change(template.replace("{input}", () => input), false);
  }

  #change(source: string, restarts: boolean): void {
    if (source === this.#source) return;
    this.#source = source;
    this.#text = parseSourceText(source);
    this.#refusal = undefined;
    this.#failures = 0;
    if (!restarts) return;
    this.#dialing?.controller.abort(new StreamError("CLOSED", "the source was changed"));
    this.#restart();
  }

  /** Connects if it is not connected; all who call meanwhile share one try, which ends when the last of them aborts. */
  override async dial(want: Want, signal?: AbortSignal): Promise<void> {
    while (!this.producer) {
      if (signal?.aborted) throw abortError(signal);
      if (this.#isClosed) throw new StreamError("CLOSED", "the source was removed");
      if (this.#refusal && this.host.context.clock.now() < this.#refusal.untilMs) throw this.#refusal.error;
      const dial = this.#dialing ??= this.#beginDial(want);
      dial.waiters++;
      try {
        return await orAborted(dial.promise, signal);
      } catch (error) {
        // Given up for another source, or by those who waited before: not what this caller is to be told.
        if (signal?.aborted || this.#isClosed || !isGivenUp(dial.controller)) throw error;
      } finally {
        dial.waiters--;
        this.#abandon(dial);
      }
    }
  }

  #abandon(dial: Dial): void {
    if (dial === this.#dialing && dial.waiters === 0 && this.users === 0) {
      dial.controller.abort(new StreamError("CLOSED", "nobody waits for the source"));
    }
  }

  #beginDial(want: Want): Dial {
    this.#stopRetry();
    const controller = new AbortController();
    this.setState("connecting");
    const { clock } = this.host.context;
    const cancelTimeout = clock.setTimer(() => {
      const shown = redactUrls(this.#source);
      controller.abort(new StreamError("TIMEOUT", `no answer from "${shown}" within ${DIAL_TIMEOUT_MS / 1000} s`));
    }, DIAL_TIMEOUT_MS);
    const opened = this.#open(want, controller.signal);
    const promise = orAborted(opened, controller.signal).then(
      (producer) => {
        if (!controller.signal.aborted) return this.#onOpened(producer);
        // Given up in the very moment in which it opened.
        this.closeProducer(producer);
        this.#onFailed(abortError(controller.signal), isGivenUp(controller));
      },
      (thrown) => {
        // It may still open after it was given up.
        opened.then((producer) => this.closeProducer(producer), () => {});
        this.#onFailed(toError(thrown), isGivenUp(controller));
      },
    ).finally(cancelTimeout);
    // Retries have no waiter; the failure has been dealt with above.
    promise.catch(() => {});
    return { controller, promise, waiters: 0 };
  }

  #onOpened(producer: Producer): void {
    this.#dialing = undefined;
    this.#refusal = undefined;
    this.install(producer);
    if (this.users > 0) this.#start();
  }

  #onFailed(error: Error, isAbandoned: boolean): never {
    this.#dialing = undefined;
    if (isAbandoned) this.setState("idle");
    else this.#fail(error);
    if (this.users > 0) this.#scheduleRetry(isAbandoned ? 0 : undefined);
    else this.clear();
    throw error;
  }

  #fail(error: Error): void {
    const code = error instanceof StreamError ? error.code : undefined;
    const state: SourceState = code === "UNAUTHORIZED" || code === "REFUSED" ? "refused" : "offline";
    if (code === "UNAUTHORIZED") this.#refusal = { error, untilMs: this.host.context.clock.now() + REFUSED_MS };
    this.setState(state, redactUrls(error.message));
  }

  // One connection at a time: cameras count them.
  async #open(want: Want, signal: AbortSignal): Promise<Producer> {
    await orAborted(this.#ending, signal);
    const { context, name } = this.host;
    return await openSource(this.#text.dialled, this.#options.isTrusted, context, { signal, stream: name, ...want });
  }

  override start(): void {
    if (this.users === 0) return;
    this.#stopLinger();
    if (this.session) super.start();
    else if (this.producer) this.#start();
    else if (!this.#dialing && !this.#cancelRetry) this.#scheduleRetry(0);
  }

  #start(): void {
    if (!this.session && this.producer) this.run(this.producer);
  }

  protected override onLive(): void {
    this.#failures = 0;
    super.onLive();
  }

  protected override onEnded(session: Session, error: Error | undefined): void {
    this.uninstall();
    if (this.users === 0) return this.#rest();
    if (error) this.#fail(error);
    else this.setState("offline", "the source ended");
    const lasted = this.host.context.clock.now() - session.startedMs;
    if (session.wasLive && !this.#refusal) this.#scheduleRetry(lasted < SHORT_SESSION_MS ? SHORT_SESSION_MS : 0);
    else this.#scheduleRetry();
  }

  protected override onLacking(): void {
    this.#restart();
  }

  #restart(): void {
    this.#disconnect();
    if (this.users > 0) this.#scheduleRetry(0);
    else this.#rest();
  }

  // Drops the connection; the tracks stay.
  #disconnect(): void {
    const running = this.session !== undefined;
    const stopped = this.stopSession();
    const producer = this.uninstall();
    if (!running && producer) this.closeProducer(producer);
    this.#ending = Promise.all([this.#ending, stopped]).then(() => {});
  }

  #scheduleRetry(delayMs?: number): void {
    if (this.#isClosed || this.#dialing) return;
    this.#stopRetry();
    const { clock } = this.host.context;
    let wait = delayMs ?? retryDelayMs(this.#failures++);
    if (this.#refusal) wait = Math.max(wait, this.#refusal.untilMs - clock.now());
    if (wait <= 0) return this.#retry();
    this.#cancelRetry = clock.setTimer(() => this.#retry(), wait);
  }

  #retry(): void {
    this.#cancelRetry = undefined;
    if (this.users === 0 || this.producer || this.#dialing || this.#isClosed) return;
    const codecs = this.bindings.filter((binding) => binding.users > 0).map((binding) => binding.codec);
    const speaker = this.speakers.some((speaker) => speaker.talkerCount > 0);
    this.#dialing = this.#beginDial({ wanted: codecs, wantsSpeaker: speaker });
  }

  #stopRetry(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }
  #stopLinger(): void {
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
  }

  override settle(): void {
    if (this.users > 0 || this.host.isAttaching || this.#isClosed) return;
    this.#stopRetry();
    if (this.#dialing) return this.#abandon(this.#dialing);
    if (!this.session || this.#lingerMs === 0) return this.#rest();
    this.#cancelLinger ??= this.host.context.clock.setTimer(() => {
      this.#cancelLinger = undefined;
      if (this.users === 0 && !this.host.isAttaching) this.#rest();
    }, this.#lingerMs);
  }

  // Nobody needs it: no connection, no tracks.
  #rest(): void {
    this.#stopRetry();
    this.#stopLinger();
    const wasConnected = this.producer !== undefined || this.session !== undefined;
    this.#disconnect();
    this.clear();
    if (wasConnected || (this.state !== "offline" && this.state !== "refused")) this.setState("idle");
  }

  /** Ends it for good; resolves when its connection is closed. */
  override close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#dialing?.controller.abort(new StreamError("CLOSED", "the source was removed"));
      this.#rest();
    }
    return this.#ending;
  }
}
