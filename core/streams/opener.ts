import type { Codec } from "../media/codec.ts";
import type { SourceUrl } from "../net/source_url.ts";
import type { Logger } from "../util/logger.ts";
import type { Attachment, Consumer, Producer } from "./types.ts";

/** Opens sources of some URL schemes. */
export interface SourceOpener {
  /** Only the config file may name such a source: it runs commands. */
  readonly trusted?: boolean;
  /** Connects and learns the medias. Rejects when the source cannot be had; stops when `signal` aborts. */
  open(source: SourceUrl, io: OpenIo): Promise<Producer>;
}

/** What an opener works with. */
export interface OpenIo {
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** The stream that the source belongs to, for messages. */
  readonly stream: string;
  /** Whether the config, or somebody who may set what runs commands, named it. */
  readonly isTrusted: boolean;
  /** What viewers want of it now, for sources that choose by it. */
  readonly wanted: readonly Codec[];
  /** Whether a camera's speaker is wanted. */
  readonly wantsSpeaker: boolean;
}

/** Opens sinks: URLs that we push a stream to. */
export interface SinkOpener {
  readonly trusted?: boolean;
  /** Connects; the answer is attached to the stream by the caller, then run with what it was given until its end. */
  open(
    sink: SourceUrl,
    io: OpenIo,
  ): Promise<Consumer & { run(signal: AbortSignal, attachment: Attachment): Promise<void> }>;
}

/** Finds another source URL that a source of this scheme stands for. */
export interface Redirector {
  readonly trusted?: boolean;
  /**
   * What it resolves to is its own making, so it may be of a trusted scheme also when the source came through the API
   * (`ffmpeg:` builds an `exec:` command); otherwise a redirect is checked like the source.
   */
  readonly vouches?: boolean;
  resolve(source: SourceUrl, io: OpenIo): Promise<string>;
}
