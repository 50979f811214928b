/** WebRTC in a page of a browser: plain code of the browser's, not our player's. */

const ANSWER_MS = 30_000;

/** A page that runs scripts: Chromium's by Playwright, or Firefox's. */
export interface ScriptPage {
  evaluate(script: string): Promise<unknown>;
}

// Runs in the page.
const SCRIPT = `
globalThis.rtc = {
  peers: [],
  async begin(send, receive) {
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    const peer = { pc, startMs: performance.now(), firstMs: 0, stream: new MediaStream() };
    for (const track of send) pc.addTransceiver(track, { direction: "sendonly" });
    for (const kind of receive) pc.addTransceiver(kind, { direction: "recvonly" });
    pc.ontrack = ({ track }) => {
      peer.stream.addTrack(track);
      if (track.kind === "video") {
        const video = document.createElement("video");
        video.muted = true;
        video.srcObject = new MediaStream([track]);
        video.onloadeddata = () => peer.firstMs ||= performance.now() - peer.startMs;
        video.play().catch(() => {});
        document.body.append(video);
        peer.video = video;
      } else {
        const audio = document.createElement("audio");
        audio.srcObject = new MediaStream([track]);
        audio.play().catch(() => {});
        peer.audio = audio;
      }
    };
    this.peers.push(peer);
    return peer;
  },
  async gathered(pc) {
    await pc.setLocalDescription(await pc.createOffer());
    // Chromium begins anew when the machine gets another network; what is there by then has to do.
    await this.until(() => pc.iceGatheringState === "complete", 2000);
  },
  async http(query, send = [], receive = ["video", "audio"], prefer) {
    const peer = await this.begin(send, receive);
    if (prefer) this.prefer(peer.pc, prefer);
    await this.gathered(peer.pc);
    const response = await fetch("/api/webrtc?" + query, {
      method: "POST", headers: { "content-type": "application/sdp" }, body: peer.pc.localDescription.sdp,
    });
    const text = await response.text();
    if (response.status !== 201) throw new Error(response.status + " " + text);
    peer.location = response.headers.get("location");
    peer.answer = text;
    peer.startMs = performance.now();
    await peer.pc.setRemoteDescription({ type: "answer", sdp: text });
    return this.peers.length - 1;
  },
  prefer(pc, name) {
    for (const one of pc.getTransceivers()) {
      const kind = one.receiver.track.kind;
      const all = RTCRtpReceiver.getCapabilities(kind).codecs;
      const kept = all.filter((codec) => codec.mimeType.toLowerCase() === name.toLowerCase());
      if (kept.length > 0) one.setCodecPreferences(kept);
    }
  },
  async socket(query, send = [], receive = ["video", "audio"], keepsUdp = true) {
    const peer = await this.begin(send, receive);
    const { pc } = peer;
    const socket = new WebSocket(location.origin.replace("http", "ws") + "/api/ws?" + query);
    await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
    await new Promise((resolve, reject) => {
      socket.onmessage = async ({ data }) => {
        const { type, value } = JSON.parse(data);
        if (type === "error") reject(new Error(value));
        if (type === "webrtc/answer") {
          peer.answer = value;
          await pc.setRemoteDescription({ type: "answer", sdp: value });
          resolve();
        }
        if (type === "webrtc/candidate" && (keepsUdp || !/ udp /i.test(value))) {
          await pc.addIceCandidate({ candidate: value, sdpMid: "0" });
        }
      };
      pc.onicecandidate = ({ candidate }) => {
        const text = candidate ? candidate.candidate : "";
        if (keepsUdp || !/ udp /i.test(text)) socket.send(JSON.stringify({ type: "webrtc/candidate", value: text }));
      };
      pc.createOffer().then((offer) => pc.setLocalDescription(offer)).then(() =>
        socket.send(JSON.stringify({
          type: "webrtc/offer",
          value: keepsUdp ? pc.localDescription.sdp : pc.localDescription.sdp.replace(/^a=candidate:.* udp .*\\r\\n/gim, ""),
        }))
      ).catch(reject);
    });
    peer.socket = socket;
    return this.peers.length - 1;
  },
  async until(test, ms = 10000) {
    const end = performance.now() + ms;
    for (;;) {
      const value = await test();
      if (value) return value;
      if (performance.now() > end) return undefined;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },
  picture(index, ms) {
    const peer = this.peers[index];
    return this.until(() => peer.firstMs, ms);
  },
  async report(index) {
    const { pc, firstMs } = this.peers[index];
    const report = { connection: pc.connectionState, firstMs };
    for (const one of (await pc.getStats()).values()) {
      if (one.type === "inbound-rtp") report[one.kind] = one;
      if (one.type === "outbound-rtp") report["out" + one.kind] = one;
      if (one.type === "remote-outbound-rtp") report["remote" + one.kind] = one;
      if (one.type === "remote-inbound-rtp") report["back" + one.kind] = one;
      if (one.type === "transport") report.transport = one;
      if (one.type === "candidate-pair" && one.nominated) report.pair = one;
      if (one.type === "remote-candidate") (report.remotes ??= []).push(one);
    }
    return report;
  },
  close(index) {
    const { pc, socket, video } = this.peers[index];
    pc.close();
    socket?.close();
    video?.remove();
  },
};`;

/** What a page says of a peer connection: the reports of `getStats`. */
export interface PeerReport {
  readonly connection: string;
  /** From the answer to the first picture. */
  readonly firstMs: number;
  readonly [key: string]: Readonly<Record<string, unknown>> | unknown;
}

/** The peer connections of a page. */
export class RtcPage {
  readonly page: ScriptPage;

  private constructor(page: ScriptPage) {
    this.page = page;
  }

  /** Takes a page that has been loaded from the server. */
  static async on(page: ScriptPage): Promise<RtcPage> {
    await page.evaluate(SCRIPT);
    return new RtcPage(page);
  }

  /** Evaluates an expression with `rtc` in it, which has half a minute. */
  async run<T>(expression: string): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`The page does not answer to ${expression}`)), ANSWER_MS);
    });
    try {
      return await Promise.race([this.page.evaluate(`(async () => { ${expression} })()`), late]) as T;
    } finally {
      clearTimeout(timer);
    }
  }
  whep(src: string): Promise<number> {
    return this.run(`return await rtc.http("src=${src}")`);
  }
  socket(src: string, isTcpOnly = false): Promise<number> {
    return this.run(`return await rtc.socket("src=${src}", [], ["video", "audio"], ${!isTcpOnly})`);
  }
  /** Milliseconds until the first picture; `undefined`: none came. */
  picture(index: number, ms = 10_000): Promise<number | undefined> {
    return this.run(`return await rtc.picture(${index}, ${ms})`);
  }
  report(index: number): Promise<PeerReport> {
    return this.run(`return await rtc.report(${index})`);
  }
  close(index: number): Promise<void> {
    return this.run(`rtc.close(${index})`);
  }
}
