import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { needs } from "../../tests/support/programs.ts";
import { until } from "../../tests/support/server.ts";
import { INSECURE_HOST, LiveFeed, openBrowser, picturesOf, PlayerServer, soundOf } from "./testing.ts";

const clip = () => Deno.readFile(new URL("../demo/clip.mp4", import.meta.url));

async function ffmpeg(...args: string[]): Promise<Uint8Array> {
  const { stdout, success } = await new Deno.Command("ffmpeg", { args: ["-v", "error", ...args], stdout: "piped" })
    .output();
  assert.ok(success);
  return stdout;
}

/** Other pictures than the clip's: smaller, in another profile. */
const otherPictures = () =>
  ffmpeg(
    ...["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=4", "-c:v", "libx264", "-profile:v", "baseline"],
    ...["-level", "3.0", "-pix_fmt", "yuv420p", "-g", "25", "-f", "mp4"],
    ...["-movflags", "frag_keyframe+empty_moov+default_base_moof", "-"],
  );

interface Stats {
  mode: string;
  codecs: string;
  width: number;
  decoded: number;
  dropped: number;
  lag: number;
  slack: number;
  rate: number;
  jumps: number;
  stalls: number;
  inits: number;
}

const stats = (page: Page) => page.evaluate("document.querySelector('video-stream').stats") as Promise<Stats>;
const shows = (page: Page, condition: string, timeout = 15_000) =>
  page.waitForFunction(
    `(() => { const p = document.querySelector('video-stream'); return ${condition}; })()`,
    undefined,
    {
      timeout,
      polling: 50,
    },
  );

async function withPlayer(
  query: string,
  run: (page: Page, server: PlayerServer, feed: LiveFeed) => Promise<void>,
  prepare: (server: PlayerServer, browser: Browser) => void | Promise<void> = () => {},
) {
  const file = await clip();
  using feed = new LiveFeed(picturesOf(file), soundOf(file));
  await using server = new PlayerServer(feed);
  const browser = await openBrowser();
  try {
    await prepare(server, browser);
    const page = await browser.newPage({ viewport: { width: 960, height: 540 } });
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(error.message));
    await page.goto(`${server.url}stream.html?src=demo${query}`);
    await run(page, server, feed);
    assert.deepEqual(faults, []);
  } finally {
    await browser.close();
  }
}

const browserTest = async (name: string, run: () => Promise<void>, ...programs: "ffmpeg"[]) =>
  Deno.test({
    ...await needs(name, "chromium", ...programs),
    // The browser's pipes and the driver's timers outlive its end for a moment.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: run,
  });

await browserTest("VideoRTC plays MSE close to the live edge", () =>
  withPlayer("", async (page, server) => {
    await shows(page, "p.stats.decoded > 5");
    await shows(page, "p.video.currentTime > 0 && p.video.readyState >= 3");
    const before = await stats(page);
    // Three seconds of play, after two in which the distance to the live edge settles.
    await shows(page, `p.stats.decoded > ${before.decoded + 125}`);
    const after = await stats(page);
    assert.equal(after.mode, "mse");
    assert.match(after.codecs, /^video\/mp4; codecs="avc1\.\w{6},mp4a\.40\.2"$/);
    assert.equal(after.width, 1280);
    assert.ok(after.lag < 0.3, `lag ${after.lag}`);
    assert.equal(await page.evaluate("document.querySelector('video-stream').video.muted"), false);
    assert.ok(server.messages.includes("mse") && server.messages.includes("webrtc/offer"));
  }));

await browserTest("VideoRTC goes on with a new initialization segment in mid-stream", async () => {
  const other = picturesOf(await otherPictures());
  await withPlayer("&mode=mse", async (page, _server, feed) => {
    await shows(page, "p.stats.decoded > 25 && p.stats.width === 1280");
    feed.switchTo(other);
    await shows(page, "p.stats.width === 640");
    const { decoded, inits, codecs } = await stats(page);
    await shows(page, `p.stats.decoded > ${decoded + 50}`);
    assert.equal(inits, 2);
    assert.match(codecs, /avc1\.42/);
    feed.switchTo(picturesOf(await clip()));
    await shows(page, `p.stats.width === 1280 && p.stats.decoded > ${decoded + 75}`);
    assert.ok((await stats(page)).lag < 0.6);
  });
}, "ffmpeg");

await browserTest(
  "VideoRTC jumps to the newest picture after a pause of the network",
  () =>
    withPlayer("&mode=mse", async (page, _server, feed) => {
      await shows(page, "p.stats.decoded > 50");
      feed.isHeld = true;
      const { decoded } = await stats(page);
      await shows(page, "p.video.readyState < 3");
      await new Promise((resolve) => setTimeout(resolve, 1500));
      feed.isHeld = false;
      await shows(page, `p.stats.decoded > ${decoded + 25} && p.stats.lag < 0.5 && p.video.readyState >= 3`);
      assert.ok((await stats(page)).jumps >= 1);
    }),
);

await browserTest(
  "VideoRTC goes on at the live edge with the next keyframe, with sound, after a camera was away",
  () =>
    withPlayer("&mode=mse", async (page, _server, feed) => {
      await shows(page, "p.stats.decoded > 50");
      feed.isAway = true;
      await page.evaluate(
        "globalThis.live = document.querySelector('video-stream').video.currentTime - performance.now() / 1000",
      );
      await new Promise((resolve) => setTimeout(resolve, 5000));
      const { decoded } = await stats(page);
      feed.isAway = false;
      const backMs = performance.now();
      const isLive = "p.video.currentTime - performance.now() / 1000 > globalThis.live - 1";
      await shows(page, `p.stats.decoded > ${decoded + 10} && p.video.readyState >= 3 && ${isLive}`);
      const tookMs = performance.now() - backMs;
      // Up to two seconds of it are the rest of a GOP.
      assert.ok(tookMs < 4000, `${tookMs} ms`);
    }),
);

await browserTest(
  "VideoRTC connects anew when the server closes the socket",
  () =>
    withPlayer("&mode=mse", async (page, server) => {
      await shows(page, "p.stats.decoded > 50");
      const closedMs = performance.now();
      server.closeSockets("the camera was removed");
      await shows(page, "p.querySelector('.error').textContent === 'the camera was removed'", 2000);
      await shows(page, "p.stats.decoded > 10 && p.stats.mode === 'mse' && p.stats.decoded < 50");
      const tookMs = performance.now() - closedMs;
      assert.ok(tookMs < 3500, `${tookMs} ms`);
      await shows(page, "p.querySelector('.error').textContent === ''");
      assert.equal(server.connections, 1);
    }),
);

await browserTest(
  "VideoRTC disconnects when it leaves the page and returns with it",
  () =>
    withPlayer("&mode=mse&background=false", async (page, server) => {
      await shows(page, "p.stats.decoded > 5");
      await page.evaluate(`(() => {
      const player = globalThis.player = document.querySelector('video-stream');
      player.DISCONNECT_TIMEOUT = 100;
      globalThis.place = player.parentNode;
      player.remove();
    })()`);
      await page.waitForFunction("globalThis.player.ws === null", undefined, { timeout: 3000 });
      await page.evaluate("globalThis.place.append(globalThis.player)");
      await shows(page, "p.stats.decoded > 5 && p.video.readyState >= 3");
      assert.equal(server.connections, 1);
    }),
);

await browserTest(
  "VideoRTC out of view stays off when its page comes to the front",
  () =>
    withPlayer("&mode=mse&background=false", async (page, server) => {
      await shows(page, "p.stats.decoded > 5");
      await page.evaluate(`(() => {
        const player = globalThis.player = document.querySelector('video-stream');
        const place = player.parentNode;
        player.remove();
        player.visibilityThreshold = 0.1;
        player.DISCONNECT_TIMEOUT = 100;
        place.append(player);
        place.style.display = "none";
        globalThis.show = (isHidden) => {
          Object.defineProperty(document, "hidden", { configurable: true, value: isHidden });
          document.dispatchEvent(new Event("visibilitychange"));
        };
      })()`);
      await page.waitForFunction("player.ws === null", undefined, { timeout: 3000 });
      await page.evaluate("show(true), show(false)");
      assert.equal(await page.evaluate("player.ws"), null);
      await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))");
      assert.equal(await page.evaluate("player.ws"), null);
      await page.evaluate("player.parentNode.style.display = ''");
      await shows(page, "p.stats.decoded > 5 && p.video.readyState >= 3");
      await page.evaluate("show(true)");
      await page.waitForFunction("player.ws === null", undefined, { timeout: 3000 });
      await page.evaluate("show(false)");
      await shows(page, "p.stats.decoded > 5 && p.video.readyState >= 3");
      assert.equal(server.connections, 1);
    }),
);

await browserTest(
  "VideoRTC takes address and mode from its tag",
  () =>
    withPlayer("&mode=mp4", async (page, server) => {
      await page.evaluate(
        'document.body.innerHTML = \'<video-stream src="api/ws?src=demo" mode="mse"></video-stream>\'',
      );
      await shows(page, "p.stats.mode === 'mse' && p.stats.decoded > 5");
      assert.deepEqual(server.messages.filter((type) => type !== "mp4"), ["mse"]);
    }),
);

await browserTest(
  "VideoRTC shows keyframes one by one in the mode mp4, and keeps the last without its URL",
  () =>
    withPlayer("&mode=mp4", async (page) => {
      await shows(page, "p.stats.mode === 'mp4' && p.stats.stills > 2 && p.video.poster.startsWith('blob:')");
      assert.equal(await page.evaluate("document.querySelector('.mode').textContent"), "MP4");
      const [isFreed, isShown] = await page.evaluate(`(() => {
      const freed = [];
      URL.revokeObjectURL = (url) => freed.push(url);
      const player = document.querySelector('video-stream');
      const { poster } = player.video;
      player.ondisconnect();
      return [freed.includes(poster), player.video.poster === poster];
    })()`) as boolean[];
      assert.deepEqual([isFreed, isShown], [true, true], "The last picture stays, but not its URL");
    }, (server) => {
      server.answer = (socket, type) => {
        if (type !== "mp4") return;
        socket.send(JSON.stringify({ type: "mse", value: 'video/mp4; codecs="avc1.4D401F"' }));
        const timer = setInterval(() => {
          const still = server.still();
          if (!socket.isOpen) clearInterval(timer);
          else if (still) socket.send(still);
        }, 100);
      };
    }),
);

await browserTest("VideoRTC falls back to JPEGs when MSE is refused", async () => {
  const jpeg = await ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x240", "-frames:v", "1", "-f", "mjpeg", "-");
  await withPlayer("", async (page, server) => {
    await shows(page, "p.stats.mode === 'mjpeg' && p.stats.stills > 2 && p.video.controls === false");
    assert.deepEqual(server.messages.filter((type) => !type.startsWith("webrtc")), ["mse", "mjpeg"]);
  }, (server) => {
    const { play } = server;
    server.play = (socket) => {
      socket.send(JSON.stringify({ type: "error", value: "mse: streams: codecs not matched" }));
      server.play = play;
      return undefined;
    };
    server.answer = (socket, type) => {
      if (type !== "mjpeg") return;
      socket.send(JSON.stringify({ type: "mjpeg" }));
      const timer = setInterval(() => socket.isOpen ? socket.send(jpeg) : clearInterval(timer), 50);
    };
  });
}, "ffmpeg");

await browserTest(
  "VideoRTC has the next technology take its turn when a server that has no MSE says nothing",
  () =>
    withPlayer("", async (page, server) => {
      const url = page.url();
      await page.goto("about:blank");
      await until(() => server.connections === 0);
      server.messages.length = 0;
      await page.clock.install();
      await page.goto(url);
      await until(() => server.messages.includes("mse") && server.messages.includes("webrtc/offer"));
      await page.clock.fastForward(60_000);
      assert.ok(!server.messages.includes("mjpeg"));
      await page.clock.fastForward(6000);
      await until(() => server.messages.includes("mjpeg"));
      assert.equal(await page.evaluate("document.querySelector('video-stream').pc"), null);
    }, (server) => {
      server.play = () => undefined;
      server.answer = () => {};
    }),
);

await browserTest("VideoRTC plays HLS of the browser", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await ffmpeg(
      ...["-i", new URL("../demo/clip.mp4", import.meta.url).pathname, "-c", "copy", "-f", "hls", "-hls_time", "2"],
      ...["-hls_segment_filename", `${folder}/segment%d.ts`, "-hls_list_size", "0", `${folder}/playlist.m3u8`],
    );
    await withPlayer("&mode=hls", async (page) => {
      const isKnown = await page.evaluate(
        "document.createElement('video').canPlayType('application/vnd.apple.mpegurl')",
      );
      if (!isKnown) return;
      await shows(page, "p.stats.decoded > 25 && p.stats.mode === 'hls'");
    }, (server) => {
      server.answer = (socket, type) => {
        const value =
          '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=192000,CODECS="avc1.4D401F,mp4a.40.2"\nhls/playlist.m3u8?id=1';
        if (type === "hls") socket.send(JSON.stringify({ type: "hls", value }));
      };
      server.respond = (url) => {
        const name = /^\/api\/hls\/([\w.]+)$/.exec(url.pathname)?.[1];
        if (!name) return undefined;
        const type = name.endsWith(".ts") ? "video/mp2t" : "application/vnd.apple.mpegurl";
        return Deno.readFile(`${folder}/${name}`).then((body) =>
          new Response(body, { headers: { "content-type": type } })
        );
      };
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}, "ffmpeg");

/** A page that answers WebRTC offers with a moving canvas and a tone. */
const PEER = `globalThis.answer = async (sdp) => {
  const canvas = document.createElement("canvas");
  canvas.width = 320;
  canvas.height = 240;
  const pen = canvas.getContext("2d");
  setInterval(() => { pen.fillStyle = "hsl(" + performance.now() / 10 % 360 + " 80% 50%)"; pen.fillRect(0, 0, 320, 240); }, 40);
  const sound = new AudioContext();
  const tone = sound.createOscillator();
  const out = sound.createMediaStreamDestination();
  tone.connect(out);
  tone.start();
  const pc = globalThis.pc = new RTCPeerConnection();
  await pc.setRemoteDescription({ type: "offer", sdp });
  const stream = new MediaStream([...canvas.captureStream(25).getTracks(), ...out.stream.getTracks()]);
  for (const track of stream.getTracks()) pc.addTrack(track, stream);
  await pc.setLocalDescription(await pc.createAnswer());
  if (pc.iceGatheringState !== "complete") {
    await new Promise((resolve) => pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && resolve());
  }
  return pc.localDescription.sdp;
}`;

await browserTest("VideoRTC switches from MSE to WebRTC with its sound, and back when that ends", () => {
  let peer: Page | undefined;
  return withPlayer("", async (page, server) => {
    await shows(page, "p.stats.mode === 'webrtc' && p.video.srcObject instanceof MediaStream && p.stats.decoded > 10");
    assert.equal(await page.evaluate("document.querySelector('video-stream').video.muted"), false);
    assert.equal(await page.evaluate("document.querySelector('video-stream').ws"), null);
    assert.equal(server.connections, 0);
    assert.equal(await page.evaluate("document.querySelector('.mode').textContent"), "RTC");
    server.answer = (socket) => socket.send(JSON.stringify({ type: "error", value: "webrtc/offer: no" }));
    await peer!.evaluate("globalThis.pc.close()");
    await shows(page, "p.stats.mode === 'mse' && p.stats.decoded > 10", 20_000);
  }, async (server, browser) => {
    peer = await browser.newPage();
    await peer.goto(server.url);
    await peer.evaluate(PEER);
    server.answer = async (socket, type, value) => {
      if (type !== "webrtc/offer") return;
      const answer = await peer!.evaluate((sdp) => (globalThis as unknown as Peer).answer(sdp), value);
      socket.send(JSON.stringify({ type: "webrtc/answer", value: answer }));
    };
  });
});

interface Peer {
  answer(sdp: string): Promise<string>;
}

await browserTest(
  "VideoRTC says why a page over plain HTTP gets no microphone, and plays all the same",
  () =>
    withPlayer("", async (page, server) => {
      await page.goto(
        `${server.url.replace("127.0.0.1", INSECURE_HOST)}stream.html?src=demo&media=video+audio+microphone`,
      );
      await shows(page, "p.stats.decoded > 10 && p.stats.mode === 'mse'");
      const notice = await page.evaluate("document.querySelector('.notice').textContent") as string;
      assert.match(notice, /^No microphone: this page came over plain HTTP.*HTTPS.*http:\/\/localhost/);
      assert.equal(await page.evaluate("document.querySelector('.error').textContent"), "");
      await page.click(".notice button");
      assert.equal(await page.evaluate("document.querySelector('.notice').textContent"), "");
      assert.ok(server.messages.includes("webrtc/offer"));
    }),
);
