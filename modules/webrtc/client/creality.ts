import { StreamError } from "../../../core/mod.ts";
import { type Dial, textOf, untilConnected, WATCH } from "./dial.ts";
import { ask, jsonOf } from "./requests.ts";

const LINES = WATCH.slice(0, 1);

/** Creality 3D printers: descriptions as base64 of JSON, pictures only. */
export const dialCreality: Dial = async ({ target, peer, signal }) => {
  const offer = JSON.stringify({ type: "offer", sdp: await peer.offer(LINES, true) });
  const { text } = await ask(target, {
    method: "POST",
    url: target.url,
    headers: { "content-type": "plain/text" },
    body: new TextEncoder().encode(offer).toBase64(),
    signal,
  });
  const { sdp } = jsonOf(decoded(text, target.shown), `the answer of ${target.shown}`);
  peer.takeAnswer(repairAnswer(textOf(sdp)), LINES);
  await untilConnected(peer, signal);
  return undefined;
};

function decoded(text: string, shown: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(text.trim()));
  } catch {
    throw new StreamError("PROTOCOL", `webrtc: the answer of ${shown} is not base64`);
  }
}

/**
 * Quirk(Creality K1): the answer names two encodings and the printer sends the second, and it describes one of them twice
 * (`x-google…`): the first of the first line goes, and so does what is said twice.
 */
export function repairAnswer(sdp: string): string {
  const lines = sdp.split(/\r?\n/).filter((line) => !(line.startsWith("a=fmtp:") && line.includes("x-google")));
  const first = lines.findIndex((line) => line.startsWith("m="));
  const words = lines[first]?.split(" ") ?? [];
  const [, , , type, ...others] = words;
  if (type === undefined || others.length === 0) return lines.join("\r\n");
  const end = lines.findIndex((line, i) => i > first && line.startsWith("m="));
  return lines.filter((line, i) => {
    const isOfFirst = i > first && (end < 0 || i < end);
    return !isOfFirst || !new RegExp(`^a=(rtpmap|fmtp|rtcp-fb):${type}( |$)`).test(line);
  }).map((line, i) => i === first ? [...words.slice(0, 3), ...others].join(" ") : line).join("\r\n");
}
