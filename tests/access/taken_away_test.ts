/** What becomes of those who are watching when the config does not know them any more. */
import assert from "node:assert/strict";
import { startServer, until } from "../support/server.ts";

const basic = (name: string, password: string) => ({ authorization: `Basic ${btoa(`${name}:${password}`)}` });

Deno.test("A user who is removed sees and hears nothing more over what is open, and the others notice nothing", async () => {
  const users = (...names: string[]) => `{users: [${names.map((name) => `{name: ${name}, password: pw}`).join(", ")}]}`;
  const config = `streams: {cam: "demo:"}\naccess: ${users("eve", "bob")}\n`;
  await using server = await startServer({ config });
  const text = (await Deno.readTextFile(server.configPath)).replace("api:\n", "api:\n  local_auth: true\n");
  await Deno.writeTextFile(server.configPath, text);
  await until(async () => {
    const response = await server.fetch("/api/streams");
    await response.body?.cancel();
    return response.status === 401;
  });

  const open = async (name: string) => {
    const headers = basic(name, "pw");
    const socket = new WebSocket(`ws://${server.api}/api/ws?src=cam`, { headers });
    const closed = new Promise<number>((resolve) => socket.onclose = ({ code }) => resolve(code));
    await new Promise<void>((resolve) => {
      socket.onmessage = ({ data }) => typeof data === "string" || resolve();
      socket.onopen = () => socket.send(JSON.stringify({ type: "mse", value: "avc1.640029" }));
    });
    const [events, movie] = await Promise.all(
      ["/api/events", "/api/stream.mp4?src=cam"].map((path) => server.fetch(path, { headers })),
    );
    return { socket, closed, events: events!, movie: movie! };
  };
  const [eve, bob] = [await open("eve"), await open("bob")];
  await Deno.writeTextFile(server.configPath, text.replace(/^access:.*$/m, `access: ${users("bob")}`));
  assert.equal(await eve.closed, 1008);
  // Both come to their end.
  await eve.events.text();
  await eve.movie.arrayBuffer().catch(() => {});
  assert.equal(bob.socket.readyState, WebSocket.OPEN);
  const reader = bob.movie.body!.getReader();
  for (let i = 0; i < 20; i++) assert.equal((await reader.read()).done, false);
  await reader.cancel();
  await bob.events.body!.cancel();
  bob.socket.close();
  await bob.closed;
});
