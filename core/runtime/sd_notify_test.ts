import assert from "node:assert/strict";
import { notifySystemd } from "./sd_notify.ts";

const ignore = Deno.build.os !== "linux";

async function withSocket(value: string | undefined, work: () => Promise<void>): Promise<void> {
  const before = Deno.env.get("NOTIFY_SOCKET");
  const set = (to: string | undefined) =>
    to === undefined ? Deno.env.delete("NOTIFY_SOCKET") : Deno.env.set("NOTIFY_SOCKET", to);
  set(value);
  try {
    await work();
  } finally {
    set(before);
  }
}

Deno.test({
  name: "notifySystemd() sends to a socket file and to an abstract socket",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir();
    const names = [`${folder}/notify`, `@lenswire-test-${Deno.pid}`];
    for (const name of names) {
      const systemd = Deno.listenDatagram({ transport: "unixpacket", path: name.replace(/^@/, "\0") });
      await withSocket(name, () => notifySystemd("READY=1"));
      assert.equal(new TextDecoder().decode((await systemd.receive())[0]), "READY=1");
      systemd.close();
    }
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "notifySystemd() does nothing where nobody asks, and rejects where nobody listens",
  ignore,
  async fn() {
    await withSocket(undefined, () => notifySystemd("READY=1"));
    await withSocket("", () => notifySystemd("READY=1"));
    await withSocket("/nonexistent/notify", () => assert.rejects(notifySystemd("READY=1")));
  },
});
