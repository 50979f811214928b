import type { Codec } from "../media/codec.ts";
import { parseSourceUrl } from "../net/source_url.ts";
import { redactUrls, StreamError } from "../util/errors.ts";
import type { Logger } from "../util/logger.ts";
import type { OpenIo } from "./opener.ts";
import type { Producer, SourceRegistry } from "./types.ts";

/** What those who dial want of a source. */
export interface Want {
  readonly wanted: readonly Codec[];
  readonly wantsSpeaker: boolean;
}

/** What opening a source needs of the program. */
export interface OpenContext {
  readonly registry: SourceRegistry;
  logOf(module: string): Logger;
}

const MAX_REDIRECTS = 5;

/**
 * Finds the opener of a source, through redirects, and opens it. A redirect leads to a scheme that runs commands only if
 * it vouches for it, or is itself one that only the config may name: what a camera answers is nobody's command.
 */
export async function openSource(
  source: string,
  isTrusted: boolean,
  context: OpenContext,
  io: Want & { readonly signal: AbortSignal; readonly stream: string },
): Promise<Producer> {
  const { registry } = context;
  let text = source;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const url = parseSourceUrl(text);
    const opener = registry.source(url.scheme);
    const redirector = registry.redirect(url.scheme);
    if (!opener && !redirector) {
      throw new StreamError("UNSUPPORTED_SCHEME", `streams: unsupported scheme: ${redactUrls(text)}`);
    }
    if (!isTrusted && registry.isTrusted(url.scheme)) {
      throw new StreamError("UNTRUSTED_SOURCE", "streams: source from insecure producer");
    }
    const openIo: OpenIo = { ...io, isTrusted, log: context.logOf(url.scheme) };
    const next = await redirector?.resolve(url, openIo);
    if (opener && (!next || next === text)) return await opener.open(url, openIo);
    if (!next) throw new StreamError("BAD_SOURCE", `source "${redactUrls(text)}" leads nowhere, check its address`);
    isTrusted = redirector?.vouches === true || (isTrusted && registry.isTrusted(url.scheme));
    text = next;
  }
  const shown = redactUrls(source);
  throw new StreamError("BAD_SOURCE", `source "${shown}" redirects more than ${MAX_REDIRECTS} times, check for a loop`);
}
