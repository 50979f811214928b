/** Offers as browsers write them, for tests. */

/** The head of an offer of Chromium's, with one transport for all lines. */
export const SESSION = [
  "v=0",
  "o=- 3305703907022983326 2 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE 0 1 2 3",
  "a=extmap-allow-mixed",
  "a=msid-semantic: WMS",
];

const FEEDBACK = ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"];

/** A codec of a video line with its feedback, and its RTX behind it. */
export function videoCodec(type: number, name: string, fmtp = "", rtx = type + 1): string[] {
  return [
    `a=rtpmap:${type} ${name}/90000`,
    ...FEEDBACK.map((one) => `a=rtcp-fb:${type} ${one}`),
    ...(fmtp ? [`a=fmtp:${type} ${fmtp}`] : []),
    `a=rtpmap:${rtx} rtx/90000`,
    `a=fmtp:${rtx} apt=${type}`,
  ];
}

/** A media line of Chromium's with these attributes behind what all have. */
export function mediaLine(media: string, mid: string, direction: string, lines: readonly string[], port = 9): string[] {
  const types = lines.flatMap((line) => /^a=rtpmap:(\d+)/.exec(line)?.[1] ?? []);
  return [
    `m=${media} ${port} UDP/TLS/RTP/SAVPF ${types.join(" ")}`,
    "c=IN IP4 0.0.0.0",
    "a=rtcp:9 IN IP4 0.0.0.0",
    "a=ice-ufrag:SZyh",
    "a=ice-pwd:SoHXTR3SVE6FgJsHa6RYNrCq",
    "a=ice-options:trickle",
    `a=fingerprint:sha-256 ${FINGERPRINT}`,
    "a=setup:actpass",
    `a=mid:${mid}`,
    "a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid",
    `a=${direction}`,
    "a=rtcp-mux",
    "a=rtcp-rsize",
    ...lines,
  ];
}

export const FINGERPRINT =
  "12:CE:42:2E:DA:77:58:67:0A:5F:E9:8C:93:25:CC:49:77:72:52:62:29:D3:B9:E5:9C:21:48:E3:2D:98:EB:DB";

const h264 = (mode: number, profile: string) =>
  `level-asymmetry-allowed=1;packetization-mode=${mode};profile-level-id=${profile}`;

/** What Chromium can decode, in its order. */
export const VIDEO_LINES = [
  ...videoCodec(96, "VP8"),
  ...videoCodec(98, "VP9", "profile-id=0"),
  ...videoCodec(100, "VP9", "profile-id=2"),
  ...videoCodec(102, "H264", h264(1, "42001f")),
  ...videoCodec(104, "H264", h264(0, "42001f"), 107),
  ...videoCodec(108, "H264", h264(1, "42e01f")),
  ...videoCodec(116, "H264", h264(1, "4d001f")),
  ...videoCodec(39, "H264", h264(0, "4d001f")),
  ...videoCodec(41, "H264", h264(1, "64001f")),
  ...videoCodec(45, "AV1", "level-idx=5;profile=0;tier=0"),
  ...videoCodec(49, "H265", "level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST"),
  "a=rtpmap:118 red/90000",
  "a=rtpmap:120 ulpfec/90000",
];

export const AUDIO_LINES = [
  "a=rtpmap:111 opus/48000/2",
  "a=rtcp-fb:111 transport-cc",
  "a=fmtp:111 minptime=10;useinbandfec=1",
  "a=rtpmap:63 red/48000/2",
  "a=fmtp:63 111/111",
  "a=rtpmap:9 G722/8000",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:8 PCMA/8000",
  "a=rtpmap:13 CN/8000",
  "a=rtpmap:126 telephone-event/8000",
];

/** A whole offer: picture and sound wanted, a microphone given, and a data channel. */
export const CHROMIUM_OFFER = [
  ...SESSION,
  ...mediaLine("video", "0", "recvonly", VIDEO_LINES),
  ...mediaLine("audio", "1", "recvonly", AUDIO_LINES),
  ...mediaLine("audio", "2", "sendonly", [...AUDIO_LINES, "a=ssrc:1001 cname:x", "a=msid:- mic"]),
  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
  "c=IN IP4 0.0.0.0",
  "a=ice-ufrag:SZyh",
  "a=ice-pwd:SoHXTR3SVE6FgJsHa6RYNrCq",
  `a=fingerprint:sha-256 ${FINGERPRINT}`,
  "a=setup:actpass",
  "a=mid:3",
  "a=sctp-port:5000",
].join("\r\n") + "\r\n";
