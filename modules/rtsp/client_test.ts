import assert from "node:assert/strict";
import { codec as makeCodec, parseAuthorization, verifyDigest } from "../../core/mod.ts";
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

Deno.test("openCamera() describes, sets up what is wanted, plays, feeds the tracks and says goodbye", async () => {
  await using camera = new FakeCamera(obedient(both));
  const producer = await open(camera.source("", "user:pa%40ss@"));
  assert.deepEqual(producer.medias.map(({ kind, direction }) => `${kind} ${direction}`), [
    "video recvonly",
    "audio recvonly",
  ]);
  {
    await using running = new Running(producer);
    await camera.until(() => camera.methods().includes("PLAY"));
    for (let i = 0; i < 3; i++) {
      await camera.send(rtpFrame(0, { sequence: i, timestamp: i * 3600, payload: vp8Payload() }));
      await camera.send(
        rtpFrame(2, { sequence: i, timestamp: i * 160, payload: new Uint8Array(160), payloadType: 8 }),
      );
    }
    await Promise.all(running.tracks.map((track) => frames(track, 3)));
    assert.equal(running.isLive, true);
    assert.ok(producer.info.bytesReceived! > 500);
    assert.equal(producer.info.protocol, "rtsp+tcp");
    assert.equal(producer.info.url, `rtsp://***@127.0.0.1:${camera.port}/live?a=1`);
  }
  await camera.until(() => camera.methods().includes("TEARDOWN"));
  assert.deepEqual(camera.methods(), ["DESCRIBE", "SETUP", "SETUP", "PLAY", "TEARDOWN"]);
  const base = `rtsp://127.0.0.1:${camera.port}/live?a=1`;
  assert.deepEqual(camera.requests.map(({ url }) => url), [base, `${base}/track1`, `${base}/track2`, base, base]);
  assert.equal(camera.requests[2]!.header("Transport"), "RTP/AVP/TCP;unicast;interleaved=2-3");
  assert.equal(camera.requests[3]!.header("Session"), "42");
});

Deno.test("openCamera() sets up only the medias that somebody wants", async () => {
  await using camera = new FakeCamera(obedient(both));
  await using _ = new Running(await open(camera.source()), (media) => media.kind === "audio");
  await camera.until(() => camera.methods().includes("PLAY"));
  assert.deepEqual(camera.methods(), ["DESCRIBE", "SETUP", "PLAY"]);
  assert.match(camera.requests[1]!.url, /track2$/);
});

Deno.test("openCamera() keeps the kinds that #media names", async () => {
  await using camera = new FakeCamera(obedient(both));
  const producer = await open(camera.source("#media=audio"));
  assert.deepEqual(producer.medias.map(({ kind }) => kind), ["audio"]);
  producer.close();
});

Deno.test("Quirk(cameras that want a User-Agent and exact CSeq): both are in every request", async () => {
  await using camera = new FakeCamera(obedient(both));
  const producer = await open(camera.source());
  const [describe] = camera.requests;
  assert.ok(describe!.lines.some((line) => /^CSeq: 1$/.test(line)));
  assert.ok(describe!.lines.some((line) => /^User-Agent: \S/.test(line)));
  assert.ok(describe!.lines.includes("Accept: application/sdp"));
  producer.close();
});

Deno.test("Quirk(Foscam C1): an answer with a wrong CSeq, or none, belongs to the oldest question", async () => {
  for (const number of ["CSeq: 0", "CSeq:", "CSeq: 99", "X: 1"]) {
    await using camera = new FakeCamera((request, own) => obedient(both)(request, own)!.replace(/CSeq: \d+/, number));
    const producer = await open(camera.source("#timeout=1"));
    assert.equal(producer.medias.length, 2, number);
    producer.close();
  }
});

Deno.test("RtspClient takes no answer for another's that comes twice", async () => {
  let twice = "";
  await using camera = new FakeCamera((request, own) => {
    const said = obedient(both)(request, own)!;
    if (request.method === "DESCRIBE") twice = said.replace("200 OK", "404 Not Found");
    return request.method === "SETUP" ? twice + said : said;
  });
  await using _ = new Running(await open(camera.source("#backchannel=0")));
  await camera.until(() => camera.methods().includes("PLAY"));
});

Deno.test("openCamera() asks for the backchannel unless the source has other options", async () => {
  for (
    const [options, isAsked] of [["", true], ["#timeout=10", false], ["#timeout=3#backchannel=1", true], [
      "#backchannel=0",
      false,
    ]] as const
  ) {
    await using camera = new FakeCamera(obedient(both));
    const producer = await open(camera.source(options));
    assert.equal(camera.requests[0]!.header("Require") !== undefined, isAsked, options);
    producer.close();
  }
});

Deno.test("Quirk(cameras without backchannel): one that refuses, closes or says nothing is asked again without", async () => {
  for (const said of ["refuse", "close", "nothing"]) {
    await using camera = new FakeCamera((request, camera) => {
      if (request.header("Require") === undefined) return obedient(both)(request, camera);
      return said === "refuse" ? answer(request, "551 Option not supported") : said === "close" ? "close" : undefined;
    });
    const producer = await open(camera.source("#backchannel=1#timeout=0.3"));
    assert.equal(producer.medias.length, 2);
    assert.deepEqual(camera.methods(), ["DESCRIBE", "DESCRIBE"]);
    assert.equal(camera.connections, 2);
    producer.close();
  }
});

Deno.test("Quirk(cameras that refuse to set up their speaker): all is set up again without it", async () => {
  const withSpeaker = sdp(...VP8_LINES, ...SPEAKER_LINES, ...PCMA_LINES);
  await using camera = new FakeCamera((request, camera) => {
    if (request.url.endsWith("track3")) return answer(request, "500 Internal Server Error");
    const isAsked = request.header("Require") !== undefined;
    return obedient(request.method === "DESCRIBE" && !isAsked ? both : withSpeaker)(request, camera);
  });
  await using running = new Running(await open(camera.source()));
  await camera.until(() => camera.methods().includes("PLAY"));
  assert.deepEqual(camera.methods(), ["DESCRIBE", "SETUP", "SETUP", "DESCRIBE", "SETUP", "SETUP", "PLAY"]);
  await camera.send(rtpFrame(4, { sequence: 1, timestamp: 0, payload: new Uint8Array(80), payloadType: 8 }));
  await frames(running.tracks[1]!, 1);
});

Deno.test("openCamera() goes on with the pictures when the sound cannot be set up", async () => {
  await using camera = new FakeCamera(
    except(
      obedient(both),
      "SETUP",
      (request, camera) =>
        request.url.endsWith("track2") ? answer(request, "404 Not Found") : obedient(both)(request, camera),
    ),
  );
  await using running = new Running(await open(camera.source("#backchannel=0")));
  await camera.until(() => camera.methods().includes("PLAY"));
  await camera.send(rtpFrame(0, { sequence: 1, timestamp: 0, payload: vp8Payload() }));
  await frames(running.tracks[0]!, 1);
});

/** A camera with Digest; the nonce is what `nonce` says. */
function guarded(base: Script, nonce: () => string, extra = ""): Script {
  return (request, camera) => {
    const given = parseAuthorization(request.header("Authorization") ?? "");
    const isRight = given?.scheme === "digest" && given.nonce === nonce() &&
      given.parameters.get("uri") === request.url &&
      verifyDigest(given, { method: request.method, realm: "cam", password: "pa@ss" });
    if (isRight) return base(request, camera);
    const stale = given?.scheme === "digest" && given.nonce !== nonce() ? ", stale=true" : "";
    return answer(request, "401 Unauthorized", [
      `WWW-Authenticate: Digest realm="cam", nonce="${nonce()}"${extra}${stale}`,
    ]);
  };
}

Deno.test("RtspClient logs in with Digest, and again when the nonce has run out", async () => {
  for (const extra of ["", ', qop="auth,auth-int"', ", algorithm=SHA-256, qop=auth"]) {
    let nonce = "one";
    await using camera = new FakeCamera(guarded(obedient(both), () => nonce, extra));
    const producer = await open(camera.source("#backchannel=0", "admin:pa%40ss@"));
    nonce = "two";
    await using _ = new Running(producer);
    await camera.until(() => camera.methods().includes("PLAY"));
    assert.deepEqual(camera.methods(), ["DESCRIBE", "DESCRIBE", "SETUP", "SETUP", "SETUP", "PLAY"], extra);
  }
});

Deno.test("RtspClient says whose password was refused, once", async () => {
  await using camera = new FakeCamera(guarded(obedient(both), () => "n"));
  await assert.rejects(open(camera.source("", "admin:wrong@")), {
    code: "UNAUTHORIZED",
    message: 'rtsp: camera "yard" refused the password (401 Digest): check user and password in streams.yard',
  });
  assert.equal(camera.requests.length, 2);
  await assert.rejects(open(camera.source()), {
    code: "UNAUTHORIZED",
    message: 'rtsp: camera "yard" wants a password (401 Digest): put user:password@ before the host in streams.yard',
  });
});

/** As `guarded`, with a nonce for each connection; `closes`: it closes behind each 401. */
function guardedByConnection(base: Script, closes: boolean): Script {
  let refused = 0;
  return (request, camera) => {
    if (closes && refused === camera.connections) return "close";
    const said = guarded(base, () => `n${camera.connections}`)(request, camera)!;
    if (said.includes(" 401 ")) refused = camera.connections;
    return said.replace(", stale=true", "");
  };
}

Deno.test("RtspClient logs in again over another connection when nonces belong to connections", async () => {
  const base: Script = (request, own) => request.header("Require") ? "close" : obedient(both)(request, own);
  await using camera = new FakeCamera(guardedByConnection(base, false));
  const producer = await open(camera.source("#backchannel=1", "admin:pa%40ss@"));
  assert.equal(producer.medias.length, 2);
  producer.close();
});

Deno.test("RtspClient gives up a camera whose every nonce is said to have run out", async () => {
  for (const method of ["DESCRIBE", "PLAY"]) {
    let nonce = 0;
    await using camera = new FakeCamera(
      except(
        obedient(both),
        method,
        (request) =>
          answer(request, "401 Unauthorized", [`WWW-Authenticate: Digest realm="x", nonce="${++nonce}", stale=true`]),
      ),
    );
    const played = open(camera.source("#backchannel=0", "a:b@")).then(async (producer) => {
      await using running = new Running(producer);
      throw await running.ended;
    });
    await assert.rejects(played, { code: "UNAUTHORIZED" });
    assert.equal(nonce, 4, method);
  }
});

Deno.test("RtspClient gives a wrong password up, whatever becomes of the connections and their nonces", async () => {
  for (const closes of [false, true]) {
    await using camera = new FakeCamera(guardedByConnection(obedient(both), closes));
    await assert.rejects(open(camera.source("#backchannel=1", "admin:wrong@")), {
      code: closes ? "CLOSED" : "UNAUTHORIZED",
    });
    const shown = camera.requests.filter((request) => request.header("Authorization"));
    assert.ok(shown.length <= (closes ? 7 : 1), `${shown.length} times`);
  }
});

Deno.test("Quirk(cameras that close after a 401): the answer goes over a new connection", async () => {
  let isFirst = true;
  await using camera = new FakeCamera((request, camera) => {
    if (request.header("Authorization") !== undefined) {
      if (!isFirst) return obedient(both)(request, camera);
      isFirst = false;
      return "close";
    }
    return answer(request, "401 Unauthorized", ['WWW-Authenticate: Basic realm="x"']);
  });
  const producer = await open(camera.source("#backchannel=0", "a:b@"));
  assert.equal(camera.connections, 2);
  assert.equal(camera.requests.at(-1)!.header("Authorization"), "Basic YTpi");
  producer.close();
});

Deno.test("Quirk(TP-Link Tapo): without a login it lets in who calls it 127.0.0.1", async () => {
  await using camera = new FakeCamera((request, camera) =>
    request.url.startsWith("rtsp://127.0.0.1:")
      ? obedient(both)(request, camera)
      : answer(request, "401 Unauthorized", ['WWW-Authenticate: Digest realm="TP-LINK Streaming Media", nonce="1"'])
  );
  await using _ = new Running(await open(camera.source("#backchannel=0").replace("127.0.0.1", "localhost")));
  await camera.until(() => camera.methods().includes("PLAY"));
  assert.deepEqual(camera.methods(), ["DESCRIBE", "DESCRIBE", "SETUP", "SETUP", "PLAY"]);
});

Deno.test("RtspClient follows redirects and shows its login there too", async () => {
  await using target = new FakeCamera(guarded(obedient(both), () => "n"));
  await using camera = new FakeCamera((request) =>
    answer(request, "302 Moved", [`Location: rtsp://127.0.0.1:${target.port}/other`])
  );
  const producer = await open(camera.source("#backchannel=0", "admin:pa%40ss@"));
  assert.match(target.requests[1]!.url, /\/other$/);
  producer.close();
  await using loop = new FakeCamera((request, own) =>
    answer(request, "302 Moved", [`Location: rtsp://127.0.0.1:${own.port}/`])
  );
  await assert.rejects(open(loop.source("#backchannel=0")), /redirects more than 5 times/);
});

Deno.test("Quirk(cameras without a=control): the base with a slash is set up", async () => {
  await using camera = new FakeCamera(obedient(sdp("m=video 0 RTP/AVP 97", "a=rtpmap:97 VP8/90000")));
  await using _ = new Running(await open(camera.source("#backchannel=0")));
  await camera.until(() => camera.methods().includes("PLAY"));
  assert.equal(camera.requests[1]!.url, `rtsp://127.0.0.1:${camera.port}/live?a=1/`);
});

Deno.test("Quirk(cameras without /TCP in the answer): the channel they name is used", async () => {
  for (const transport of ["RTP/AVP;unicast;interleaved=6-7", "interleaved=6", "RTP/AVP/TCP;unicast;interleaved=6-7"]) {
    await using camera = new FakeCamera(
      except(
        obedient(sdp(...VP8_LINES)),
        "SETUP",
        (request) => answer(request, "200 OK", [`Transport: ${transport}`, "Session: 1"]),
      ),
    );
    await using running = new Running(await open(camera.source("#backchannel=0")));
    await camera.until(() => camera.methods().includes("PLAY"));
    await camera.send(rtpFrame(6, { sequence: 1, timestamp: 0, payload: vp8Payload() }));
    await frames(running.tracks[0]!, 1);
  }
});

Deno.test("openCamera() says what is wrong with an address", async () => {
  await assert.rejects(open("rtsp://"), { code: "BAD_SOURCE" });
  await assert.rejects(open("rtsp://u:secret@h:99999/"), (error: Error) => !error.message.includes("secret"));
  await assert.rejects(open("rtsp://h/#transport=carrier"), /expected tcp, udp, ws/);
  await assert.rejects(open("rtsp://h/#timeout=soon"), /expected seconds/);
  await assert.rejects(open("rtsp://127.0.0.1:1/"), { code: "OFFLINE" });
  await using mute = new FakeCamera(() => undefined);
  await assert.rejects(open(mute.source("#timeout=0.2")), { code: "TIMEOUT" });
  await using empty = new FakeCamera(obedient("v=0\r\n"));
  await assert.rejects(open(empty.source("#timeout=1")), { code: "PROTOCOL" });
  await using missing = new FakeCamera((request) => answer(request, "404 Stream Not Found"));
  await assert.rejects(open(missing.source("#timeout=1")), {
    code: "NOT_FOUND",
    message: 'rtsp: camera "yard" answered 404 Stream Not Found to DESCRIBE: check the path in streams.yard',
  });
});

Deno.test("openCamera() stops when nobody waits any more", async () => {
  await using camera = new FakeCamera(() => undefined);
  const controller = new AbortController();
  const opening = open(camera.source(), controller.signal);
  await camera.until(() => camera.requests.length > 0);
  controller.abort(new Error("nobody waits"));
  await assert.rejects(opening, /nobody waits/);
});

Deno.test("openCamera() feeds the codec that was agreed, and leaves out packets of the line's others", async () => {
  const lines = ["m=audio 0 RTP/AVP 8 0 13", "a=control:t"];
  await using camera = new FakeCamera(obedient(sdp(...lines)));
  const producer = await open(camera.source());
  assert.deepEqual(producer.medias[0]!.codecs.map(({ name }) => name).slice(0, 2), ["PCMA", "PCMU"]);
  await using running = new Running(producer);
  await camera.until(() => camera.methods().includes("PLAY"));
  const frame = (sequence: number, payloadType: number) =>
    rtpFrame(0, { sequence, timestamp: sequence * 160, payload: new Uint8Array(160), payloadType });
  for (const [i, type] of [8, 13, 0, 8].entries()) await camera.send(frame(i, type));
  await frames(running.tracks[0]!, 2);
  assert.equal(running.tracks[0]!.frames, 2);
  assert.equal(makeCodec("PCMA").kind, "audio");
});
