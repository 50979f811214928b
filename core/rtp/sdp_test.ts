import assert from "node:assert/strict";
import fc from "fast-check";
import { parse as parseWithOracle } from "sdp-transform";
import { aacFmtp, makeAudioSpecificConfig } from "../codecs/aac.ts";
import { type Codec, codec } from "../media/codec.ts";
import { withParameterSets } from "../media/inspect.ts";
import { StreamError } from "../util/errors.ts";
import { parseSdp, rtpFmtp, type SdpMedia, writeSdp } from "./sdp.ts";
import { h264, h265 } from "./testing.ts";

const HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n";

const H264_FMTP =
  "packetization-mode=1;profile-level-id=64001E;sprop-parameter-sets=Z2QAHqzZQKAv+XARAAADAAEAAAMAMg8WLZY=,aOvjyyLA";

/** The medias of a description of these lines. */
function medias(...lines: readonly string[]): readonly SdpMedia[] {
  return parseSdp(HEAD + lines.map((line) => line + "\r\n").join("")).medias;
}

/** The first codec of the first media. */
function first(...lines: readonly string[]): Codec {
  return medias(...lines)[0]!.codecs[0]!;
}

function brief({ name, clockRate, channels }: Codec): string {
  return `${name}/${clockRate}/${channels}`;
}

Deno.test("parseSdp() reads a camera's description", () => {
  const session = parseSdp(
    HEAD.replace("s=-", "s=Media Server") + [
      "a=control:*",
      "m=video 0 RTP/AVP 96",
      "b=AS:4000",
      "a=rtpmap:96 H264/90000",
      `a=fmtp:96 ${H264_FMTP}`,
      "a=control:trackID=0",
      "m=audio 0 RTP/AVP 97",
      "a=rtpmap:97 MPEG4-GENERIC/48000/2",
      "a=fmtp:97 streamtype=5; profile-level-id=15; mode=AAC-hbr; config=1190; sizelength=13; indexlength=3; indexdeltalength=3",
      "a=control:trackID=1",
      "m=audio 0 RTP/AVP 8",
      "a=sendonly",
      "a=control:trackID=2",
    ].join("\r\n") + "\r\n",
  );
  assert.equal(session.name, "Media Server");
  assert.equal(session.control, "*");
  const [video, audio, speaker] = session.medias;
  assert.deepEqual([video!.kind, video!.direction, video!.control], ["video", "recvonly", "trackID=0"]);
  const [picture] = video!.codecs;
  assert.equal(picture!.payloadType, 96);
  assert.equal(picture!.parameterSets.length, 2);
  assert.deepEqual([picture!.width, picture!.height], [640, 360]);
  assert.equal(brief(audio!.codecs[0]!), "MPEG4-GENERIC/48000/2");
  assert.deepEqual(audio!.codecs[0]!.parameterSets.map((set) => [...set]), [[0x11, 0x90]]);
  assert.deepEqual([speaker!.direction, brief(speaker!.codecs[0]!)], ["sendonly", "PCMA/8000/0"]);
});

Deno.test("parseSdp() Quirk(EZVIZ): several s= lines inside medias", () => {
  const session = parseSdp(
    `v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=First\r\nm=video 0 RTP/AVP 96\r\ns=Second\r\na=rtpmap:96 H265/90000\r\ns=Third\r\n`,
  );
  assert.equal(session.name, "First");
  assert.equal(session.medias[0]!.codecs[0]!.name, "H265");
});

Deno.test("parseSdp() Quirk(broken c=): truncated lines are passed over", () => {
  const session = parseSdp("v=0\r\ns=x\r\nc=IN\r\nm=video 0 RTP/AVP 26\r\nc=IN\r\na=control:1\r\n");
  assert.equal(session.medias[0]!.codecs[0]!.name, "JPEG");
});

Deno.test("parseSdp() Quirk(broken header): only what is below a media line counts", () => {
  const session = parseSdp("v=0\no=- \0 broken\ns\nt=\r\rm=audio 0 RTP/AVP 0");
  assert.equal(brief(session.medias[0]!.codecs[0]!), "PCMU/8000/0");
});

Deno.test("parseSdp() Quirk(unknown media type): m=vana and m=application/MERCURY are application", () => {
  const found = medias("m=vana 0 RTP/AVP 107", "m=application/MERCURY 0 RTP/AVP 108", "m=video 0 RTP/AVP 26");
  assert.deepEqual(found.map((media) => media.kind), ["application", "application", "video"]);
});

Deno.test("parseSdp() Quirk(missing final newline): the last line counts", () => {
  const { medias } = parseSdp(HEAD + "m=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000");
  assert.equal(medias[0]!.codecs[0]!.name, "VP8");
});

Deno.test("parseSdp() Quirk(H264 fmtp under another media): found by payload type", () => {
  const codec = first(
    "m=video 0 RTP/AVP 96",
    "a=rtpmap:96 H264/90000",
    "m=audio 0 RTP/AVP 8",
    "a=rtpmap:8 PCMA/8000",
    `a=fmtp:96 ${H264_FMTP}`,
  );
  assert.equal(codec.parameterSets.length, 2);
});

Deno.test("parseSdp() Quirk(H265 fmtp without all sprops): the whole fmtp is dropped", () => {
  const sps = withParameterSets(codec("H265"), [h265.vps, h265.sps, h265.pps]).fmtp;
  const lacking = sps.replace(/sprop-pps=[^;]*/, "profile-id=1");
  const lines = ["m=video 0 RTP/AVP 98", "a=rtpmap:98 H265/90000"];
  assert.deepEqual(first(...lines, `a=fmtp:98 ${lacking}`).parameterSets, []);
  assert.equal(first(...lines, `a=fmtp:98 ${lacking}`).fmtp, "");
});

Deno.test("parseSdp() Quirk(missing direction): recvonly", () => {
  const found = medias(
    "m=video 0 RTP/AVP 26",
    "m=audio 0 RTP/AVP 0",
    "a=sendrecv",
    "m=audio 0 RTP/AVP 0",
    "a=sendonly",
  );
  assert.deepEqual(found.map((media) => media.direction), ["recvonly", "recvonly", "sendonly"]);
});

Deno.test("parseSdp() Quirk(CV-RTSPHandler): tracks marked sendonly are recvonly", () => {
  const { medias } = parseSdp(
    "v=0\r\no=CV-RTSPHandler 1123412 0 IN IP4 1.2.3.4\r\ns=x\r\nm=video 0 RTP/AVP 26\r\na=sendonly\r\n",
  );
  assert.equal(medias[0]!.direction, "recvonly");
});

Deno.test("parseSdp() Quirk(rtpmap clock with trailing spaces): trimmed", () => {
  assert.equal(brief(first("m=audio 0 RTP/AVP 97", "a=rtpmap:97 PCMA/16000  ")), "PCMA/16000/0");
  assert.equal(brief(first("m=audio 0 RTP/AVP 97", "a=rtpmap:97 L16/44100 /2 ")), "L16/44100/2");
});

Deno.test("parseSdp() Quirk(rtpmap in any case): upper-cased", () => {
  assert.equal(first("m=audio 0 RTP/AVP 97", "a=rtpmap:97 mpeg4-generic/16000").name, "MPEG4-GENERIC");
});

Deno.test("parseSdp() Quirk(rtpmap for another payload type): the static meaning counts", () => {
  assert.equal(brief(first("m=audio 0 RTP/AVP 8", "a=rtpmap:97 MPEG4-GENERIC/16000")), "PCMA/8000/0");
});

Deno.test("parseSdp() Quirk(static payload types without rtpmap): taken from the table", () => {
  const [audio, video] = medias("m=audio 0 RTP/AVP 0 8 10 11 14", "m=video 0 RTP/AVP 26");
  assert.deepEqual(audio!.codecs.map(brief), [
    "PCMU/8000/0",
    "PCMA/8000/0",
    "L16/44100/2",
    "L16/44100/0",
    "MPA/90000/0",
  ]);
  assert.deepEqual(video!.codecs.map(brief), ["JPEG/90000/0"]);
});

Deno.test("parseSdp() Quirk(ffmpeg pcm_s16le): PCML guessed by the bandwidth", () => {
  const rates: Record<number, string> = {
    128: "8000/0",
    256: "16000/0",
    384: "24000/0",
    512: "32000/0",
    705: "44100/0",
    768: "48000/0",
    1411: "44100/2",
    1536: "48000/2",
  };
  for (const [bandwidth, rate] of Object.entries(rates)) {
    assert.equal(brief(first("m=audio 0 RTP/AVP 97", `b=AS:${bandwidth}`)), `PCML/${rate}`);
  }
  assert.equal(first("m=audio 0 RTP/AVP 97", "b=AS:99").name, "97");
});

Deno.test("parseSdp() Quirk(Hikvision PCM/48000): little endian, also with payload type 11", () => {
  assert.equal(brief(first("m=audio 0 RTP/AVP 11", "a=rtpmap:11 PCM/48000")), "PCML/48000/0");
});

Deno.test("parseSdp() Quirk(OPUS with odd rates): always 48000/2", () => {
  assert.equal(brief(first("m=audio 0 RTP/AVP 97", "a=rtpmap:97 opus/16000/1")), "OPUS/48000/2");
});

Deno.test("parseSdp() Quirk(missing a=control): there is none", () => {
  assert.equal("control" in medias("m=video 0 RTP/AVP 26")[0]!, false);
});

Deno.test("parseSdp() makes AAC of LATM, and keeps how it comes", () => {
  const latm = first(
    "m=audio 0 RTP/AVP 97",
    "a=rtpmap:97 MP4A-LATM/44100/2",
    "a=fmtp:97 profile-level-id=41;cpresent=0;config=400024203fc0",
  );
  assert.equal(brief(latm), "MPEG4-GENERIC/44100/2");
  assert.deepEqual(latm.parameterSets.map((set) => [...set]), [[0x12, 0x10]]);
  assert.match(latm.fmtp, /cpresent=0/);
  assert.equal(rtpFmtp(latm), aacFmtp(Uint8Array.of(0x12, 0x10)));
  assert.match(first("m=audio 0 RTP/AVP 97", "a=rtpmap:97 MP4A-LATM/44100").fmtp, /cpresent=1/);
});

Deno.test("parseSdp() keeps the AU headers of AAC that are not the usual", () => {
  const fmtp = "mode=AAC-lbr;config=1190;sizelength=6;indexlength=2;indexdeltalength=2";
  const found = first("m=audio 0 RTP/AVP 97", "a=rtpmap:97 MPEG4-GENERIC/48000/2", `a=fmtp:97 ${fmtp}`);
  assert.equal(found.fmtp, fmtp);
  assert.equal(found.parameterSets.length, 1);
});

Deno.test("parseSdp() keeps format parameters that tell nothing", () => {
  const found = first("m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", "a=fmtp:96 packetization-mode=1;x=%%");
  assert.equal(found.fmtp, "packetization-mode=1;x=%%");
});

Deno.test("parseSdp() refuses what has no media line", () => {
  for (const text of ["", "v=0\r\ns=x\r\n", "<html>404</html>"]) {
    assert.throws(() => parseSdp(text), (error) => error instanceof StreamError && error.code === "PROTOCOL");
  }
});

Deno.test("parseSdp() throws nothing but a StreamError on any text", () => {
  const part = fc.constantFrom(
    ...["m=", "m=video 0 RTP/AVP 96", "m=audio 0 RTP/AVP 97 98", "a=rtpmap:96 ", "a=rtpmap:97 ", "H264/90000", "H265/"],
    ...["MPEG4-GENERIC/", "MP4A-LATM/", "OPUS", "a=fmtp:96 ", "a=fmtp:97 ", "sprop-parameter-sets=", "config=", "Z2QA"],
    ...[
      "sprop-vps=AAA;sprop-sps=Qg;sprop-pps=RA",
      "cpresent=1;",
      "1190",
      "f8",
      "sizelength=",
      "\n",
      "\r\n",
      "b=AS:",
      "=",
    ],
  );
  const text = fc.array(fc.oneof(part, fc.string({ maxLength: 8 })), { maxLength: 20 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.oneof(text, fc.string()), (text) => {
      try {
        for (const media of parseSdp(text).medias) media.codecs.map(rtpFmtp);
      } catch (error) {
        assert.ok(error instanceof StreamError && error.code === "PROTOCOL");
      }
    }),
    { numRuns: 1000 },
  );
});

const asc = makeAudioSpecificConfig({ objectType: 2, sampleRate: 44100, channels: 2 });
const CODECS: readonly Codec[] = [
  withParameterSets(codec("H264"), [h264.sps, h264.pps]),
  withParameterSets(codec("H265"), [h265.vps, h265.sps, h265.pps]),
  codec("JPEG"),
  codec("VP8"),
  withParameterSets(codec("MPEG4-GENERIC", { clockRate: 44100, channels: 2 }), [asc]),
  codec("OPUS", { clockRate: 48000, channels: 2 }),
  codec("PCMA", { clockRate: 8000 }),
  codec("L16", { clockRate: 16000 }),
  codec("G722", { clockRate: 8000 }),
];

Deno.test("writeSdp() writes the contract's form", () => {
  const control = "trackID=0";
  const sdp = writeSdp({
    name: "go2rtc/1.9.14",
    medias: [
      { kind: "video", direction: "recvonly", codec: codec("H264", { fmtp: "x=1" }), payloadType: 96, control },
      { kind: "audio", direction: "sendonly", codec: CODECS[6]!, payloadType: 97, control: "trackID=1" },
    ],
  });
  assert.equal(
    sdp,
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=go2rtc/1.9.14\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n" +
      "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 x=1\r\na=recvonly\r\na=control:trackID=0\r\n" +
      "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 PCMA/8000\r\na=sendonly\r\na=control:trackID=1\r\n",
  );
});

Deno.test("writeSdp() announces ELD as MPEG4-GENERIC and PCML as L16", () => {
  const offer = (codec: Codec) =>
    ({ kind: "audio", direction: "recvonly", codec, payloadType: 96, control: "" }) as const;
  const sdp = writeSdp({
    name: "x",
    medias: [offer(codec("ELD", { clockRate: 16000 })), offer(codec("PCML", { clockRate: 8000 }))],
  });
  assert.match(sdp, /MPEG4-GENERIC\/16000\r\n/);
  assert.match(sdp, /L16\/8000\r\n/);
});

Deno.test("parseSdp() reads back the codecs that writeSdp() wrote", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...CODECS), { minLength: 1, maxLength: 6 }), fc.string(), (all, name) => {
      const text = writeSdp({
        name,
        medias: all.map((codec, i) => ({
          kind: codec.kind,
          direction: i % 2 ? "sendonly" : "recvonly",
          codec,
          payloadType: 96 + i,
          control: `trackID=${i}`,
        })),
      });
      const { medias } = parseSdp(text);
      assert.deepEqual(
        medias.map(({ codecs }) => codecs[0]),
        all.map((codec, i) => ({ ...codec, payloadType: 96 + i })),
      );
      assert.deepEqual(medias.map((media) => media.direction), all.map((_codec, i) => i % 2 ? "sendonly" : "recvonly"));
    }),
  );
});

/** What is looked at of the answer of sdp-transform, which comes without types. */
interface OracleSession {
  readonly media: readonly {
    readonly type: string;
    readonly rtp: readonly { readonly codec: string; readonly rate: number }[];
    readonly fmtp: readonly { readonly config: string }[];
    readonly control: string;
  }[];
}

Deno.test("writeSdp() writes what another parser reads", () => {
  const medias = CODECS.map((codec, i) => ({
    kind: codec.kind,
    direction: "recvonly" as const,
    codec,
    payloadType: 96 + i,
    control: `trackID=${i}`,
  }));
  const read = parseWithOracle(writeSdp({ name: "x", medias })) as OracleSession;
  assert.deepEqual(
    read.media.map(({ type, rtp, fmtp, control }) => [type, rtp[0]?.codec, rtp[0]?.rate, fmtp[0]?.config, control]),
    medias.map(({ kind, codec, control }) => [kind, codec.name, codec.clockRate, codec.fmtp || undefined, control]),
  );
});
