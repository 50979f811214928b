import assert from "node:assert/strict";
import { parse } from "yaml";
import { readOrigins } from "./origin.ts";

const never = () => Promise.resolve(false);

for (
  const [value, wanted] of [
    ["{}", {}],
    ['{streams: {a: "x"}}', { streams: { a: "x" } }],
    ['{"api": {"listen": ""}}', { api: { listen: "" } }],
    ["rtsp.listen=''", { rtsp: { listen: "" } }],
    ["rtsp.listen=:8554", { rtsp: { listen: ":8554" } }],
    ["rtsp.pkt_size=1472", { rtsp: { pkt_size: 1472 } }],
    ["api.allow_paths=[/, /api]", { api: { allow_paths: ["/", "/api"] } }],
    ["webrtc.filters.udp_ports=[1, 2]", { webrtc: { filters: { udp_ports: [1, 2] } } }],
    ["streams.cam=rtsp://h/1?a=b#c=d", { streams: { cam: "rtsp://h/1?a=b#c=d" } }],
    ["log.level=", { log: { level: null } }],
    ["streams.cam=- a\n- b", { streams: { cam: ["a", "b"] } }],
    ["webrtc.filters={loopback: true}", { webrtc: { filters: { loopback: true } } }],
    ["/etc/app.d/a=b", { "/etc/app": { "d/a": "b" } }],
  ] as const
) {
  Deno.test(`readOrigins() takes ${JSON.stringify(value)} as config text`, async () => {
    const [origin] = await readOrigins([value], "/home", never);
    assert.ok(origin?.kind === "inline");
    assert.deepEqual(parse(origin.text), wanted);
  });
}

for (
  const [value, path, shownAs] of [
    ["/config/go2rtc.yaml", "/config/go2rtc.yaml", "/config/go2rtc.yaml"],
    ["go2rtc.yaml", "/home/go2rtc.yaml", "go2rtc.yaml"],
    ["sub/a.yml", "/home/sub/a.yml", "sub/a.yml"],
    ["../x.yaml", "/x.yaml", "/x.yaml"],
    ["a=b", "/home/a=b", "a=b"],
    ["plain", "/home/plain", "plain"],
  ] as const
) {
  Deno.test(`readOrigins() takes "${value}" as a file`, async () => {
    assert.deepEqual(await readOrigins([value], "/home", never), [{ kind: "file", path, shownAs }]);
  });
}

Deno.test("readOrigins() skips empty values", async () => {
  assert.deepEqual(await readOrigins([""], "/home", never), []);
});

for (
  const [existing, wanted] of [
    [[], "lenswire.yaml"],
    [["go2rtc.yaml"], "go2rtc.yaml"],
    [["lenswire.yaml", "go2rtc.yaml"], "lenswire.yaml"],
  ] as const
) {
  Deno.test(`readOrigins() without values chooses ${wanted} where there is ${existing.join(" and ") || "none"}`, async () => {
    const exists = (path: string) =>
      Promise.resolve((existing as readonly string[]).includes(path.replace("/home/", "")));
    const [origin] = await readOrigins([], "/home", exists);
    assert.equal(origin?.shownAs, wanted);
  });
}

Deno.test("readOrigins() without values looks beside the program last", async () => {
  const choose = async (...existing: string[]) => {
    const [origin] = await readOrigins([], "/home", (path) => Promise.resolve(existing.includes(path)), "/opt");
    return origin?.kind === "file" ? origin.path : undefined;
  };
  assert.equal(await choose("/opt/go2rtc.yaml"), "/opt/go2rtc.yaml");
  assert.equal(await choose("/opt/lenswire.yaml", "/home/go2rtc.yaml"), "/home/go2rtc.yaml");
  assert.equal(await choose(), "/home/lenswire.yaml");
});
