/** What systemd is told about this service. */
export type ServiceState = "READY=1" | "STOPPING=1";

/** Tells systemd how the service is, where it asks for that (`Type=notify`); rejects when it cannot be told. */
export async function notifySystemd(state: ServiceState): Promise<void> {
  const path = Deno.env.get("NOTIFY_SOCKET");
  if (!path) return;
  // Without a path of its own, the socket gets a name from the system and leaves no file behind.
  const socket = Deno.listenDatagram({ transport: "unixpacket", path: "" });
  try {
    await socket.send(new TextEncoder().encode(state), { transport: "unixpacket", path: path.replace(/^@/, "\0") });
  } finally {
    socket.close();
  }
}
