import assert from "node:assert/strict";
import { dotOf } from "./dot.ts";

Deno.test("dotOf() draws hosts, connections and tracks", () => {
  const codec = { codec_name: "h264", codec_type: "video", profile: "High" };
  const text = dotOf([{
    producers: [
      {
        id: 1,
        format_name: "rtsp",
        protocol: "rtsp+tcp",
        remote_addr: "192.168.1.123:554",
        url: 'rtsp://cam/"a"',
        receivers: [{ id: 4, codec, childs: [5], bytes: 1234, packets: 1 }],
        bytes_recv: 5981120,
      },
      { url: "rtsp://idle", state: "idle" },
    ],
    consumers: [{
      id: 2,
      format_name: "webrtc",
      remote_addr: "127.0.0.1:1 forwarded 203.0.113.7",
      user_agent: "Mozilla/5.0",
      senders: [{ id: 5, codec, parent: 4, bytes: 999 }],
      bytes_send: 999,
    }],
  }]);
  assert.equal(
    text,
    [
      "digraph {",
      `"192.168.1.123" [group=host];`,
      `1 [group=producer, label="rtsp", title="format_name=rtsp\\nprotocol=rtsp+tcp\\nurl=rtsp://cam/'a'"];`,
      `"192.168.1.123" -> 1 [label="5.98 MB"];`,
      `1 -> 4 [label="1.23 KB"];`,
      `4 [group=node, label="h264", title="codec_name=h264\\ncodec_type=video\\nprofile=High"];`,
      `"203.0.113.7" [group=host];`,
      `2 [group=consumer, label="webrtc", title="format_name=webrtc\\nuser_agent=Mozilla/5.0"];`,
      `2 -> "203.0.113.7" [label="999 B"];`,
      `4 -> 2 [label="999 B"];`,
      "}",
      "",
    ].join("\n"),
  );
});

Deno.test("dotOf() finds the host in every form of an address", () => {
  const hosts = [
    ["[2001:db8::1]:554", "2001:db8::1"],
    ["2001:db8::1", "2001:db8::1"],
    ["10.0.0.1:5 host 10.0.0.2:6", "10.0.0.1"],
    ["10.0.0.1:5 forwarded [::1]:8554", "::1"],
    ["", "unknown"],
  ];
  for (const [remote_addr, host] of hosts) {
    const text = dotOf([{ producers: [{ id: 1, url: "", remote_addr: remote_addr! }], consumers: [] }]);
    assert.ok(text.includes(`"${host}" [group=host];`), `${remote_addr} gave ${text}`);
  }
  const pipe = dotOf([{ producers: [{ id: 1, url: "", protocol: "pipe" }], consumers: [] }]);
  assert.ok(pipe.includes(`"127.0.0.1" -> 1`));
  assert.equal(dotOf([]), "digraph {\n}\n");
});

Deno.test("dotOf() lets no text out of its quotes", () => {
  const text = dotOf([{ producers: [{ id: 1, url: "", format_name: 'x"]; evil [label="\\' }], consumers: [] }]);
  assert.ok(text.includes(`label="x']; evil [label='\\\\"`));
});
