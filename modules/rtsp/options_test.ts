import assert from "node:assert/strict";
import { parseSourceUrl } from "../../core/mod.ts";
import { parse, safeParse } from "zod/mini";
import { aggregateUrl, controlBase, controlUrl, withHost } from "./control_url.ts";
import { RtspHeaders } from "./message.ts";
import { parseRequestPath, parseSourceOptions, parseTarget, parseTrackNumber, rtspSchema } from "./options.ts";
import { parseTransports } from "./transport.ts";
import { viewerOptions } from "./viewer_options.ts";

Deno.test("parseTarget() reads logins, ports and addresses, and leaves the login out of the request URL", () => {
  assert.deepEqual(parseTarget("rtsp://us%20er:p%40:s@cam.lan:8554/a b?x=1"), {
    host: "cam.lan",
    port: 8554,
    isTls: false,
    checksCertificate: false,
    url: "rtsp://cam.lan:8554/a%20b?x=1",
    login: { username: "us er", password: "p@:s" },
  });
  assert.deepEqual(parseTarget("rtsps://[fe80::1]/").host, "fe80::1");
  // An odd default that configs rely on: 554 for all three.
  assert.deepEqual(["rtsp", "rtsps", "rtspx"].map((scheme) => parseTarget(`${scheme}://h/1`).port), [554, 554, 554]);
  assert.deepEqual(["rtsps://h/", "rtsps://10.0.0.1/", "rtspx://h/"].map((url) => parseTarget(url).checksCertificate), [
    true,
    false,
    false,
  ]);
  assert.equal(parseTarget("rtspx://h/1").url, "rtsps://h/1");
  assert.equal(parseTarget("rtsp://u:p%@h/").login!.password, "p%");
  assert.equal(parseTarget("rtsp://a@b@h/").login!.username, "a@b");
  assert.equal(parseTarget("rtsp://h/a\r\nX: y").url, "rtsp://h/a%0D%0AX:%20y");
  for (const bad of ["rtsp:", "rtsp://", "rtsp://h:0/", "http://h/", "rtsp://h:x/"]) {
    assert.throws(() => parseTarget(bad), { code: "BAD_SOURCE" }, bad);
  }
});

Deno.test("parseSourceOptions() reads the options of contract §5.2", () => {
  const read = (fragment: string) => parseSourceOptions(parseSourceUrl(`rtsp://h/${fragment}`));
  assert.equal(read("").timeoutMs, 5000);
  assert.equal(read("#timeout=30").timeoutMs, 30_000);
  assert.deepEqual(read("#transport=udp").transport, { kind: "udp" });
  assert.deepEqual(read("#transport=ws://u:p@h/x?a=b").transport, { kind: "websocket", url: "ws://u:p@h/x?a=b" });
  assert.deepEqual(["video", "audio"].map((kind) => read("#media=video").wants(kind)), [true, false]);
  assert.deepEqual(["video", "audio"].map((kind) => read("#media=video,audio").wants(kind)), [true, true]);
});

Deno.test("Quirk(cameras with a broken Content-Base): it is repaired", () => {
  const base = (value: string) => controlBase(new RtspHeaders([["content-base", value]]), "rtsp://req/x");
  assert.equal(base("rtsp://::ffff:1.2.3.4/live/"), "rtsp://[::ffff:1.2.3.4]/live/");
  assert.equal(base("rtsp://::ffff:1.2.3.4:554/live/"), "rtsp://[::ffff:1.2.3.4]:554/live/");
  assert.equal(base("rtsp://rtsp://10.0.0.1/live/"), "rtsp://10.0.0.1/live/");
  assert.equal(base("1.2.3.4:1935/"), "rtsp://1.2.3.4:1935/");
  assert.equal(base("/live/"), "rtsp://req/live/");
  assert.equal(base(" rtsp://10.0.0.1:554/live/ "), "rtsp://10.0.0.1:554/live/");
  assert.equal(base("rtsp://[fe80::1]:554/a"), "rtsp://[fe80::1]:554/a");
  assert.equal(controlBase(new RtspHeaders(), "rtsp://req/x"), "rtsp://req/x");
});

Deno.test("controlUrl() puts controls behind the base as the contract has it", () => {
  assert.equal(controlUrl("rtsp://h/a", "track1"), "rtsp://h/a/track1");
  assert.equal(controlUrl("rtsp://h/a/", "track1"), "rtsp://h/a/track1");
  assert.equal(controlUrl("rtsp://h/a", "/track1"), "rtsp://h/a/track1");
  assert.equal(controlUrl("rtsp://h/a?b=c", "trackID=1"), "rtsp://h/a?b=c/trackID=1");
  assert.equal(controlUrl("rtsp://h/a", "rtsp://other/t"), "rtsp://other/t");
  assert.equal(controlUrl("rtsp://h/a", undefined), "rtsp://h/a/");
  assert.equal(aggregateUrl("rtsp://h/a", "*"), "rtsp://h/a");
  assert.equal(aggregateUrl("rtsp://h/a", "rtsp://h/all"), "rtsp://h/all");
  assert.equal(withHost("rtsp://10.0.0.9:554/a@b", "127.0.0.1"), "rtsp://127.0.0.1:554/a@b");
});

Deno.test("parseTransports() reads lists of transports and their ports", () => {
  const [tcp, udp, secure] = parseTransports(
    'RTP/AVP/TCP;unicast;interleaved=4-5,RTP/AVP;unicast;client_port=5000-5001;server_port=6000;source="1.2.3.4",RTP/SAVP;unicast',
  );
  assert.deepEqual([tcp!.isInterleaved, tcp!.channel], [true, 4]);
  assert.deepEqual([udp!.isInterleaved, udp!.clientPorts, udp!.serverPorts, udp!.source], [
    false,
    [5000, 5001],
    [6000, 6001],
    "1.2.3.4",
  ]);
  assert.equal(secure!.isPlain, false);
  assert.deepEqual(parseTransports(""), []);
  assert.equal(parseTransports("RTP/AVP;multicast;client_port=99999-1")[0]!.clientPorts, undefined);
});

Deno.test("parseRequestPath() and parseTrackNumber() read the URLs of players", () => {
  const path = parseRequestPath("rtsp://h:8554/front/yard%201?video&audio=aac&source=ffmpeg:a%23b");
  assert.equal(path.name, "front/yard 1");
  assert.deepEqual([...path.query], [["video", ""], ["audio", "aac"], ["source", "ffmpeg:a#b"]]);
  assert.equal(parseRequestPath("*").name, "");
  assert.equal(parseRequestPath("rtsp://h").name, "");
  assert.equal(parseTrackNumber("rtsp://h/a?video=h264/trackID=12"), 12);
  assert.equal(parseTrackNumber("rtsp://h/a/streamid=0/"), 0);
  assert.equal(parseTrackNumber("rtsp://h/a?video=h264"), -1);
});

Deno.test("viewerOptions() reads the query of contract §5.1", () => {
  const read = (query: string) =>
    viewerOptions(new URLSearchParams(query), { default_query: "video&audio=aac", pkt_size: 0 });
  const names = (query: string) =>
    read(query).medias.map(({ direction, codecs }) => `${direction} ${codecs.map(({ name }) => name)}`);
  assert.deepEqual(names(""), ["sendonly ANY", "sendonly MPEG4-GENERIC"]);
  assert.deepEqual(names("pkt_size=1400"), ["sendonly ANY", "sendonly MPEG4-GENERIC"]);
  assert.deepEqual(names("audio=opus,pcma&video"), ["sendonly ANY", "sendonly OPUS,PCMA"]);
  assert.deepEqual(names("mp4"), ["sendonly H264,H265", "sendonly MPEG4-GENERIC"]);
  assert.match(names("video&backchannel=1")[1]!, /^recvonly OPUS,L16,PCMA,PCMU,L16,PCMA,PCMU,MPEG4-GENERIC/);
  assert.equal(read("start=keyframe").start, "keyframe");
  assert.equal(read("start=maybe").start, undefined);
  assert.equal(read("pkt_size=1200").packetBytes, 1200);
  assert.equal(read("pkt_size=5").packetBytes, 100);
  assert.equal(read("timeout=7.5").timeoutMs, 7500);
  assert.equal(read("").timeoutMs, 60_000);
  assert.equal(read("log_level=debug").logLevel, "debug");
  assert.equal(read("log_level=shout").logLevel, "warn");
  assert.equal(read("source=ffmpeg:a%23b").loopGuard, "ffmpeg:a#b");
});

Deno.test("rtspSchema() fills in the contract's defaults", () => {
  assert.deepEqual(parse(rtspSchema, {}), {
    listen: ":8554",
    username: "",
    password: "",
    default_query: "video&audio",
    pkt_size: 0,
  });
  assert.equal(parse(rtspSchema, { password: 123456 }).password, "123456");
  assert.equal(safeParse(rtspSchema, { listen: 8554 }).success, false);
});
