import assert from "node:assert/strict";
import fc from "fast-check";
import { StreamError } from "../../core/mod.ts";
import { CAPTURE_TIME, OFFER_LIMIT, readOffer } from "./sdp.ts";
import { readFragment } from "./sdp_fragment.ts";
import { AUDIO_LINES, CHROMIUM_OFFER, FINGERPRINT, mediaLine, SESSION, VIDEO_LINES } from "./sdp_testing.ts";

const VIDEO = mediaLine("video", "0", "recvonly", VIDEO_LINES);
const text = (...lines: readonly string[]) => lines.join("\r\n") + "\r\n";

function isRefused(offer: string, why: RegExp): void {
  assert.throws(() => readOffer(offer), (error) => {
    assert.ok(error instanceof StreamError);
    assert.equal(error.code, "BAD_SOURCE");
    assert.match(error.message, why);
    return true;
  });
}

Deno.test("readOffer reads an offer of Chromium's", () => {
  const offer = readOffer(CHROMIUM_OFFER);
  assert.equal(offer.ufrag, "SZyh");
  assert.equal(offer.pwd, "SoHXTR3SVE6FgJsHa6RYNrCq");
  assert.equal(offer.setup, "actpass");
  assert.equal(offer.isIceLite, false);
  assert.equal(offer.hasBundle, true);
  assert.deepEqual(offer.fingerprints, [{ algorithm: "sha-256", value: FINGERPRINT }]);
  assert.deepEqual(offer.sections.map(({ media, mid, direction }) => `${media} ${mid} ${direction}`), [
    "video 0 recvonly",
    "audio 1 recvonly",
    "audio 2 sendonly",
    "application 3 sendrecv",
  ]);
  const [video, audio, microphone, data] = offer.sections;
  assert.deepEqual(video!.codecs.slice(0, 2).map(({ name, payloadType, rtx }) => [name, payloadType, rtx]), [
    ["VP8", 96, 97],
    ["VP9", 98, 99],
  ]);
  assert.equal(video!.codecs.some(({ name }) => /RTX|RED|ULPFEC/.test(name)), false);
  assert.equal(video!.hasReducedRtcp, true);
  assert.deepEqual(audio!.codecs.map(({ name }) => name), ["OPUS", "G722", "PCMU", "PCMA"]);
  assert.deepEqual(microphone!.sources, [{ ssrc: 1001 }]);
  assert.deepEqual(data!.codecs, []);
});

Deno.test("readOffer takes what belongs to all lines from the head, and lines that end with LF only", () => {
  const bare = VIDEO.filter((line) => !/^a=(ice-|fingerprint|setup)/.test(line));
  const offer = readOffer([
    ...["v=0", "a=ice-lite", "a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901", "a=setup:passive"],
    ...["a=fingerprint:sha-1 " + FINGERPRINT.slice(0, 59), "a=fingerprint:SHA-256 " + FINGERPRINT.toLowerCase()],
    ...bare,
  ].join("\n"));
  assert.equal(offer.ufrag, "abcd");
  assert.equal(offer.setup, "passive");
  assert.equal(offer.isIceLite, true);
  assert.deepEqual(offer.fingerprints.map(({ algorithm }) => algorithm), ["sha-256", "sha-1"], "the strongest first");
  assert.equal(offer.fingerprints[0]!.value, FINGERPRINT);
});

Deno.test("readOffer takes the direction of the head for lines that have none", () => {
  const line = (direction?: string) =>
    mediaLine("video", "0", direction ?? "none", VIDEO_LINES).filter((text) => text !== "a=none");
  const directionsOf = (...head: readonly string[]) =>
    readOffer(text(...SESSION, ...head, ...line(), ...line("sendrecv"), ...line("sendonly"))).sections
      .map(({ direction }) => direction);
  assert.deepEqual(directionsOf("a=recvonly"), ["recvonly", "sendrecv", "sendonly"]);
  assert.deepEqual(directionsOf(), ["sendrecv", "sendrecv", "sendonly"]);
});

Deno.test("readOffer reads payload types that need no map, and feedback for all", () => {
  const offer = readOffer(
    text(...SESSION, ...mediaLine("audio", "0", "recvonly", ["a=rtcp-fb:* nack"]))
      .replace("SAVPF ", "SAVPF 8 0 96"),
  );
  assert.deepEqual(offer.sections[0]!.codecs.map(({ name, clockRate, feedback }) => [name, clockRate, feedback]), [
    ["PCMA", 8000, ["nack"]],
    ["PCMU", 8000, ["nack"]],
  ]);
});

Deno.test("readOffer pairs sources with those of resent packets", () => {
  const offer = readOffer(
    text(...SESSION, ...VIDEO, "a=ssrc-group:FID 11 12", "a=ssrc:11 cname:a", "a=ssrc:12 cname:a"),
  );
  assert.deepEqual(offer.sections[0]!.sources, [{ ssrc: 11, rtxSsrc: 12 }]);
});

Deno.test("readOffer finds the extension for the time of capture", () => {
  const idOf = (...lines: readonly string[]) =>
    readOffer(text(...SESSION, ...VIDEO, ...lines)).sections[0]!.captureTimeId;
  assert.equal(idOf(), undefined);
  assert.equal(idOf(`a=extmap:7/recvonly ${CAPTURE_TIME}`), 7);
  assert.equal(idOf(`a=extmap:15 ${CAPTURE_TIME}`), undefined, "its head would take two bytes");
});

Deno.test("readOffer takes candidates of all lines once, up to a limit", () => {
  const candidate = (port: number) => `a=candidate:1 1 udp 2122260223 192.0.2.1 ${port} typ host`;
  const many = Array.from({ length: 200 }, (_, i) => candidate(1000 + i));
  const offer = readOffer(
    text(...SESSION, ...VIDEO, candidate(1), candidate(1), "a=candidate:" + "x".repeat(600), ...many),
  );
  assert.equal(offer.candidates.length, OFFER_LIMIT.candidates);
  assert.equal(offer.candidates[0], candidate(1).slice(2));
  assert.match(offer.candidates[1]!, / 1000 /);
});

Deno.test("readOffer knows which lines share the transport, and which are not wanted", () => {
  const offer = readOffer(text(
    ...SESSION,
    ...mediaLine("video", "7", "recvonly", VIDEO_LINES, 0),
    ...mediaLine("video", "0", "recvonly", VIDEO_LINES),
    ...mediaLine("audio", "1", "recvonly", [...AUDIO_LINES, "a=bundle-only"], 0),
    ...mediaLine("audio", "other", "recvonly", AUDIO_LINES),
  ));
  assert.deepEqual(offer.sections.map(({ isRefused, isBundled }) => [isRefused, isBundled]), [
    [true, false],
    [false, true],
    [false, true],
    [false, false],
  ]);
});

Deno.test("readOffer says why an offer is of no use", () => {
  isRefused("", /it has no media line/);
  isRefused(text("v=0", "m=video 9 UDP/TLS/RTP/SAVPF 96"), /a=ice-ufrag or a=ice-pwd is missing/);
  isRefused(text(...SESSION, ...VIDEO.filter((line) => !line.includes("fingerprint"))), /it has no a=fingerprint/);
  isRefused(text(...SESSION, ...VIDEO).padEnd(OFFER_LIMIT.bytes + 1, "\r\na=x"), /longer than 64 KB/);
  isRefused(text(...SESSION, ...Array(21).fill("m=audio 9 UDP/TLS/RTP/SAVPF 0")), /more than 20 media lines/);
  isRefused(text(...SESSION, ...VIDEO).replaceAll("a=ice-ufrag:SZyh", "a=ice-ufrag:a b c"), /malformed/);
  isRefused(text(...SESSION, ...VIDEO).replaceAll("a=ice-ufrag:SZyh", `a=ice-ufrag:${"€".repeat(200)}`), /malformed/);
});

Deno.test("readFragment passes over credentials that no check can carry", () => {
  const fragment = (ufrag: string) => text(`a=ice-ufrag:${ufrag}`, "a=ice-pwd:0123456789012345678901");
  assert.equal(readFragment(fragment("+/=-_~!")).credentials!.ufrag, "+/=-_~!");
  assert.equal(readFragment(fragment("€".repeat(200))).credentials, undefined);
});

Deno.test("readOffer refuses or reads any text", () => {
  const lines = CHROMIUM_OFFER.split("\r\n");
  const change = fc.record({ at: fc.nat({ max: lines.length - 1 }), how: fc.nat({ max: 3 }), with: fc.string() });
  const read = (offer: string) => {
    try {
      readOffer(offer);
    } catch (error) {
      assert.ok(error instanceof StreamError, String(error));
    }
  };
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
      const changed = [...lines];
      for (const { at, how, with: other } of changes) {
        if (how === 0) changed[at] = other;
        else if (how === 1) changed.splice(at, 1);
        else if (how === 2) changed[at] = (changed[at] ?? "") + other;
        else changed[at] = (changed[at] ?? "").slice(0, other.length);
      }
      read(changed.join("\r\n"));
    }),
    { numRuns: 300 },
  );
  fc.assert(fc.property(fc.string({ maxLength: 500 }), read));
});
