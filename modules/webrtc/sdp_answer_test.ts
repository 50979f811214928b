import assert from "node:assert/strict";
import { parse } from "sdp-transform";
import { codec } from "../../core/mod.ts";
import { lineCodec } from "./codecs.ts";
import { CAPTURE_TIME, readOffer } from "./sdp.ts";
import { type AcceptedLine, answerDirection, type AnswerSdp, dtlsRoleFor, writeAnswer } from "./sdp_answer.ts";
import { CHROMIUM_OFFER, FINGERPRINT } from "./sdp_testing.ts";

const offer = readOffer(CHROMIUM_OFFER);
const h264 = lineCodec(offer.sections[0]!, codec("H264"))!;
const opus = lineCodec(offer.sections[1]!, codec("OPUS", { clockRate: 48000 }))!;
const CANDIDATE = "candidate:1 1 udp 2130706431 192.0.2.1 8555 typ host";

/** What another reader of descriptions makes of one. */
interface Parsed {
  readonly groups: unknown;
  readonly media: readonly {
    readonly type: string;
    readonly port: number;
    readonly mid: string | number;
    readonly direction: string;
    readonly payloads: string;
    readonly rtp: readonly { readonly payload: number; readonly codec: string }[];
    readonly rtcpFb?: readonly { readonly type: string; readonly subtype?: string }[];
    readonly ssrcGroups?: unknown;
    readonly ssrcs?: unknown;
    readonly setup: string;
    readonly iceUfrag: string;
    readonly candidates?: readonly unknown[];
    readonly endOfCandidates?: string;
  }[];
}

function answer(more: Partial<AnswerSdp> = {}): string {
  return writeAnswer({
    offer,
    sessionId: 42,
    ufrag: "ufrag",
    pwd: "password",
    isIceLite: false,
    isTrickle: false,
    fingerprint: { algorithm: "sha-256", value: FINGERPRINT },
    candidates: [CANDIDATE],
    lines: new Map<number, AcceptedLine>([
      [0, { codecs: [h264], direction: "sendonly", source: { ssrc: 111, rtxSsrc: 112, cname: "name" } }],
      [2, { codecs: [opus], direction: "recvonly" }],
    ]),
    ...more,
  });
}

Deno.test("writeAnswer answers each line of the offer in its place, with what was chosen", () => {
  const sdp = parse(answer()) as Parsed;
  assert.deepEqual(sdp.media.map(({ type, port, mid, direction }) => [type, port, String(mid), direction]), [
    ["video", 9, "0", "sendonly"],
    ["audio", 9, "1", "inactive"],
    ["audio", 9, "2", "recvonly"],
    ["application", 0, "3", "inactive"],
  ]);
  assert.deepEqual(sdp.groups, [{ type: "BUNDLE", mids: "0 1 2" }]);
  const [video, , microphone] = sdp.media;
  assert.equal(video!.payloads, "102 103");
  assert.deepEqual(video!.rtp.map(({ payload, codec }) => [payload, codec]), [[102, "H264"], [103, "rtx"]]);
  assert.deepEqual(video!.rtcpFb!.map(({ type, subtype }) => [type, subtype].join(" ").trim()), [
    "ccm fir",
    "nack",
    "nack pli",
  ]);
  assert.deepEqual(video!.ssrcGroups, [{ semantics: "FID", ssrcs: "111 112" }]);
  assert.equal(video!.setup, "passive");
  assert.equal(video!.iceUfrag, "ufrag");
  assert.equal(video!.candidates!.length, 1);
  assert.equal(video!.endOfCandidates, "end-of-candidates");
  assert.equal(microphone!.candidates, undefined, "one transport: the first line has them");
  assert.equal(microphone!.ssrcs, undefined);
  assert.equal(microphone!.rtp[0]!.codec, "opus");
  assert.match(answer(), /a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n/);
});

Deno.test("writeAnswer refuses lines that the peer does not want or that cannot share the transport", () => {
  const text = CHROMIUM_OFFER.replace("BUNDLE 0 1 2 3", "BUNDLE 0 2 3").replace("m=audio 9", "m=audio 0");
  const sdp = parse(answer({ offer: readOffer(text) })) as Parsed;
  assert.deepEqual(sdp.media.map(({ port }) => port), [9, 0, 9, 0]);
});

Deno.test("writeAnswer takes a data channel only where it leads the bundle, which browsers could not play without it", () => {
  const [head, video, ...rest] = CHROMIUM_OFFER.split(/^(?=m=)/m);
  const data = rest.pop()!;
  const first = readOffer([head, data, video, ...rest].join("").replace("BUNDLE 0 1 2 3", "BUNDLE 3 0 1 2"));
  const sdp = parse(
    answer({ offer: first, lines: new Map([[1, { codecs: [h264], direction: "sendonly" }]]) }),
  ) as Parsed;
  assert.deepEqual(sdp.groups, [{ type: "BUNDLE", mids: "3 0 1 2" }]);
  const [channel, picture] = sdp.media;
  assert.deepEqual([channel!.type, channel!.port, channel!.payloads], ["application", 9, "webrtc-datachannel"]);
  assert.deepEqual([channel!.setup, channel!.iceUfrag, channel!.candidates!.length], ["passive", "ufrag", 1]);
  assert.deepEqual([picture!.direction, picture!.candidates], ["sendonly", undefined]);
});

Deno.test("writeAnswer takes the time of capture where we send", () => {
  const text = CHROMIUM_OFFER.replaceAll("a=rtcp-rsize", `a=rtcp-rsize\r\na=extmap:6 ${CAPTURE_TIME}`);
  assert.equal(answer({ offer: readOffer(text) }).split(`a=extmap:6 ${CAPTURE_TIME}`).length, 2);
  assert.doesNotMatch(answer(), /extmap/);
});

Deno.test("writeAnswer leaves out sources of resent packets where there are none", () => {
  const { rtx: _rtx, ...plain } = h264;
  const lines = new Map<number, AcceptedLine>([
    [0, { codecs: [plain], direction: "sendonly", source: { ssrc: 111, cname: "name" } }],
  ]);
  const text = answer({ lines });
  assert.doesNotMatch(text, /FID|rtx/);
  assert.match(text, /a=ssrc:111 cname:name\r\n/);
});

Deno.test("writeAnswer says that candidates follow, and that we only answer checks", () => {
  const text = answer({ isTrickle: true, isIceLite: true, candidates: [] });
  assert.match(text, /a=ice-options:trickle\r\n/);
  assert.doesNotMatch(text, /end-of-candidates/);
  assert.ok(text.indexOf("a=ice-lite") < text.indexOf("m="), "libwebrtc reads it in the head only");
});

Deno.test("writeAnswer asks for estimates only where the peer sends", () => {
  const asked = (direction: "sendonly" | "recvonly") =>
    answer({ lines: new Map([[0, { codecs: [h264], direction }]]) }).includes("goog-remb");
  assert.deepEqual([asked("sendonly"), asked("recvonly")], [false, true]);
});

Deno.test("answerDirection is what both sides want", () => {
  const both = { send: true, receive: true };
  assert.equal(answerDirection("sendrecv", both), "sendrecv");
  assert.equal(answerDirection("sendrecv", { send: true, receive: false }), "sendonly");
  assert.equal(answerDirection("recvonly", both), "sendonly");
  assert.equal(answerDirection("sendonly", both), "recvonly");
  assert.equal(answerDirection("inactive", both), "inactive");
  assert.equal(answerDirection("sendonly", { send: true, receive: false }), "inactive");
});

Deno.test("dtlsRoleFor waits for the peer unless the peer waits", () => {
  assert.equal(dtlsRoleFor(offer), "server");
  assert.equal(dtlsRoleFor({ ...offer, setup: "active" }), "server");
  assert.equal(dtlsRoleFor({ ...offer, setup: "passive" }), "client");
});
