import assert from "node:assert/strict";
import { parseSourceUrl } from "../../../core/mod.ts";
import { parseClientTarget } from "./target.ts";

const read = (text: string) => parseClientTarget(parseSourceUrl(text));

Deno.test("parseClientTarget tells formats apart by scheme and option", () => {
  const of = (text: string) => read(text).format;
  assert.equal(of("webrtc:http://host/whep"), "whep");
  assert.equal(of("webrtc:https://host/whep#format="), "whep");
  assert.equal(of("webrtc:ws://host/api/ws?src=a"), "go2rtc");
  for (const format of ["kinesis", "switchbot", "openipc"]) {
    assert.equal(of(`webrtc:wss://h/#format=${format}`), format);
  }
  for (const format of ["wyze", "creality", "milestone"]) assert.equal(of(`webrtc:http://h/#format=${format}`), format);
});

Deno.test("parseClientTarget takes the login out of the URL and shows no query", () => {
  const target = read("webrtc:wss://us%20er:p%C3%A4ss@host:1/x?token=1#format=openipc");
  assert.equal(target.url.href, "wss://host:1/x?token=1");
  assert.equal(target.shown, "wss://host:1/x");
  assert.equal(target.authorization, `Basic ${new TextEncoder().encode("us er:päss").toBase64()}`);
});

Deno.test("parseClientTarget skips certificates of addresses and of httpx only", () => {
  assert.equal(read("webrtc:https://host/").isUnchecked, false);
  assert.equal(read("webrtc:https://192.0.2.1/").isUnchecked, true);
  assert.equal(read("webrtc:https://[2001:db8::1]/").isUnchecked, true);
  assert.equal(read("webrtc:http://192.0.2.1/").isUnchecked, false);
  const target = read("webrtc:httpx://host/api#format=milestone#cameraId=1");
  assert.equal(target.isUnchecked, true);
  assert.equal(target.url.href, "https://host/api");
});

Deno.test("parseClientTarget says what it cannot use, without secrets", () => {
  const bad = (text: string, message: RegExp) => assert.throws(() => read(text), { code: "BAD_SOURCE", message });
  bad("webrtc:rtsp://user:secret@host/", /"rtsp:\/\/\*\*\*@host\/" is neither ws: nor http:/);
  bad("webrtc:", /neither/);
  bad("webrtc:http://host/#format=kinesis", /"kinesis" is not one of http:, use wyze, creality, milestone or none/);
  bad("webrtc:ws://host/#format=x", /use kinesis, switchbot, openipc or none/);
  bad("webrtc:http://", /cannot read the URL/);
  bad("webrtc:http://a:%ff@host/", /login/);
  bad("webrtc:http://host/#ice=tcp", /ice "tcp" is neither all nor relay/);
});

Deno.test("parseClientTarget reads which ways may be used", () => {
  const whole = read('webrtc:ws://127.0.0.1/api/ws?src=a#ice=relay#ice_servers=[{"urls":"turn:t"}]');
  assert.deepEqual([whole.isRelayOnly, whole.isLocal, whole.iceServers], [true, true, [{ urls: ["turn:t"] }]]);
  const bare = read("webrtc:ws://192.0.2.1/api/ws?src=a");
  assert.deepEqual([bare.isRelayOnly, bare.isLocal, bare.iceServers], [false, false, undefined]);
  assert.deepEqual(read("webrtc:ws://[::1]/#ice_servers=[").iceServers, []);
  assert.equal(read("webrtc:ws://[::1]/").isLocal, true);
  assert.equal(read("webrtc:http://localhost:1984/#ice=all").isLocal, true);
});
