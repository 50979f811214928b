import assert from "node:assert/strict";
import { Units } from "../../core/mod.ts";
import {
  answer,
  FakeCamera,
  obedient,
  PCMA_LINES,
  rtpFrame,
  type Script,
  sdp,
  SPEAKER_LINES,
  VP8_LINES,
  vp8Payload,
} from "./fake_camera.ts";
import { except, frames, open, Running } from "./producer_testing.ts";

const both = sdp(...VP8_LINES, ...PCMA_LINES);

Deno.test("ClientSession notices that PLAY is refused", async () => {
  await using camera = new FakeCamera(
    except(obedient(both), "PLAY", (request) => answer(request, "453 Not Enough Bandwidth")),
  );
  await using running = new Running(await open(camera.source()));
  const error = await running.ended;
  assert.match(error!.message, /answered 453 Not Enough Bandwidth to PLAY/);
  assert.equal((error as { code?: string }).code, "BUSY");
});

Deno.test("ClientSession takes media although PLAY is never answered, and sound with garbage in between", async () => {
  await using camera = new FakeCamera(except(obedient(both), "PLAY", () => undefined));
  await using running = new Running(await open(camera.source()));
  await camera.until(() => camera.methods().includes("PLAY"));
  await camera.send(rtpFrame(2, { sequence: 1, timestamp: 0, payload: new Uint8Array(160), payloadType: 8 }));
  await camera.send(Uint8Array.of(1, 2, 3, 0x24, 200, 1, 1, 0, 0));
  await camera.send("OPTIONS rtsp://x/ RTSP/1.0\r\nCSeq: 77\r\n\r\n");
  await camera.send(rtpFrame(2, { sequence: 2, timestamp: 160, payload: new Uint8Array(160), payloadType: 8 }));
  await frames(running.tracks[1]!, 2);
  await camera.until(() => camera.answers.length > 0);
  assert.match(camera.answers[0]!, /^RTSP\/1.0 200 OK\nCSeq: 77/);
});

Deno.test("ClientSession ends when nothing comes, and when the camera closes", async () => {
  await using camera = new FakeCamera(obedient(both));
  await using running = new Running(await open(camera.source("#timeout=0.3")));
  const error = await running.ended;
  assert.equal(error!.message, 'rtsp: camera "yard" sent nothing for 0.3 s');
  await using other = new Running(await open(camera.source()));
  await camera.until(() => camera.methods().filter((method) => method === "PLAY").length === 2);
  camera.drop();
  assert.match((await other.ended)!.message, /camera "yard" ended the session: closed by the camera/);
});

Deno.test("ClientSession ends when no media comes, whatever else the camera sends", async () => {
  const setup: Script = (request) =>
    answer(request, "200 OK", [`Transport: ${request.header("Transport")}`, "Session: 42;timeout=6"]);
  await using camera = new FakeCamera(except(obedient(both), "SETUP", setup));
  await using udp = new Running(await open(camera.source("#transport=udp#timeout=0.1")));
  const hint = /sent no media for \d\.1 s over UDP, a firewall may be in the way: try #transport=tcp$/;
  assert.match((await udp.ended)!.message, hint);
  assert.ok(camera.methods().includes("OPTIONS"));

  await using other = new FakeCamera(obedient(both));
  await using tcp = new Running(await open(other.source("#timeout=0.2")));
  await other.until(() => other.methods().includes("PLAY"));
  await other.send(rtpFrame(0, { sequence: 1, timestamp: 0, payload: vp8Payload() }));
  const report = Uint8Array.of(0x24, 1, 0, 8, 0x80, 201, 0, 1, 0, 0, 0, 9);
  const reporting = setInterval(() => other.send(report).catch(() => {}), 50);
  assert.equal((await tcp.ended)!.message, 'rtsp: camera "yard" sent no media for 1.2 s');
  clearInterval(reporting);
});

Deno.test("ClientSession keeps the session alive, with GET_PARAMETER where the camera knows it", async () => {
  await using camera = new FakeCamera((request, camera) => {
    switch (request.method) {
      case "SETUP":
        return answer(request, "200 OK", ["Session: abc ; timeout = 6", `Transport: ${request.header("Transport")}`]);
      case "OPTIONS":
        return answer(request, "200 OK", ["Public: OPTIONS, PLAY, GET_PARAMETER"]);
      default:
        return obedient(both)(request, camera);
    }
  });
  await using _ = new Running(await open(camera.source()));
  await camera.until(() => camera.methods().includes("GET_PARAMETER"));
  assert.deepEqual(camera.methods().slice(-3), ["PLAY", "OPTIONS", "GET_PARAMETER"]);
  assert.equal(camera.requests.at(-1)!.header("Session"), "abc");
});

/** A camera whose sessions last `timeoutS`, and that answers keep-alives as the test says. */
function keeping(timeoutS: number, keepAlive: Script): Script {
  return (request, own) => {
    switch (request.method) {
      case "SETUP":
        return answer(request, "200 OK", [
          `Session: abc;timeout=${timeoutS}`,
          `Transport: ${request.header("Transport")}`,
        ]);
      case "OPTIONS":
      case "GET_PARAMETER":
        return keepAlive(request, own);
      default:
        return obedient(both)(request, own);
    }
  };
}

Deno.test("ClientSession keeps sessions alive in their time, however short they are", async () => {
  for (const timeoutS of [6, 2]) {
    let startedMs = 0;
    await using camera = new FakeCamera((request, own) => {
      if (request.method === "PLAY") startedMs = performance.now();
      return keeping(timeoutS, (request) => answer(request, "200 OK", ["Public: GET_PARAMETER"]))(request, own);
    });
    await using _ = new Running(await open(camera.source("#timeout=30")));
    await camera.until(() => camera.methods().includes("GET_PARAMETER"));
    assert.ok(performance.now() - startedMs < timeoutS * 1000);
  }
});

Deno.test("ClientSession leaves a camera in peace whose sessions last for weeks", async () => {
  await using camera = new FakeCamera(keeping(4_294_967, (request) => answer(request, "200 OK")));
  await using running = new Running(await open(camera.source()));
  await camera.until(() => camera.methods().includes("PLAY"));
  await camera.send(rtpFrame(0, { sequence: 1, timestamp: 0, payload: vp8Payload() }));
  await frames(running.tracks[0]!, 1);
  await camera.send("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
  await camera.until(() => camera.answers.length > 0);
  assert.equal(camera.methods().at(-1), "PLAY");
});

Deno.test("Quirk(thingino): 454 to GET_PARAMETER is no end, and OPTIONS is asked from then on", async () => {
  await using camera = new FakeCamera(
    keeping(
      6,
      (request) =>
        request.method === "OPTIONS"
          ? answer(request, "200 OK", ["Public: GET_PARAMETER"])
          : answer(request, "454 Session Not Found"),
    ),
  );
  await using _ = new Running(await open(camera.source()));
  await camera.until(() => camera.methods().length >= 8);
  assert.deepEqual(camera.methods().slice(-4), ["OPTIONS", "GET_PARAMETER", "OPTIONS", "OPTIONS"]);
});

Deno.test("ClientSession ends at 454 only when it receives no media", async () => {
  const forgetful = keeping(1, (request) => answer(request, "454 Session Not Found"));
  await using camera = new FakeCamera(forgetful);
  await using running = new Running(await open(camera.source("#timeout=0.7")));
  await camera.until(() => camera.methods().includes("OPTIONS"));
  assert.match((await running.ended)!.message, /sent no media for 4.2 s/);

  const speaker = sdp(...SPEAKER_LINES);
  await using other = new FakeCamera(except(forgetful, "DESCRIBE", obedient(speaker)));
  await using talking = new Running(await open(other.source()));
  assert.match((await talking.ended)!.message, /has forgotten the session/);
});

/** Resolves when the way to the camera's speaker is open: any answer opens it; a question and its answer later it has. */
async function untilHeard(camera: FakeCamera): Promise<void> {
  await camera.until(() => camera.methods().includes("PLAY"));
  await camera.send("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
  await camera.until(() => camera.answers.length > 0);
}

Deno.test("Quirk(Reolink doorbell): PCMA goes to the speaker in packets of 1024 bytes with timestamp 0", async () => {
  await using camera = new FakeCamera(obedient(sdp(...VP8_LINES, ...SPEAKER_LINES)));
  await using running = new Running(await open(camera.source()));
  await untilHeard(camera);
  for (let i = 0; i < 15; i++) {
    running.speaker!.append({ payload: new Units([new Uint8Array(160).fill(i)]), pts: i * 160, isKeyframe: true });
  }
  const sent = () => camera.packets.filter(({ channel }) => channel === 2);
  await camera.until(() => sent().length === 2);
  for (const { packet } of sent()) {
    assert.equal(packet.length, 12 + 1024);
    assert.deepEqual([...packet.subarray(4, 8)], [0, 0, 0, 0]);
    assert.equal(packet[1], 0x88);
  }
});

Deno.test("SpeakerSender sends other codecs packet by packet with their times", async () => {
  const lines = ["m=audio 0 RTP/AVP 96", "a=rtpmap:96 OPUS/48000/2", "a=sendonly", "a=control:t3"];
  await using camera = new FakeCamera(obedient(sdp(...VP8_LINES, ...lines)));
  await using running = new Running(await open(camera.source()));
  await untilHeard(camera);
  for (let i = 0; i < 3; i++) {
    running.speaker!.append({
      payload: new Units([new Uint8Array(60)]),
      pts: i * 960,
      isKeyframe: true,
      arrivalMs: i * 20,
    });
  }
  await camera.until(() => camera.packets.length === 3);
  const times = camera.packets.map(({ packet }) => new DataView(packet.buffer).getUint32(4));
  assert.deepEqual(times.map((time) => time - times[0]!), [0, 960, 1920]);
  assert.ok(camera.packets.every(({ packet }) => packet[1] === 0xe0 && packet.length === 72));
});
