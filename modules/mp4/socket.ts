import { type ApiSocket, parseStart, SinkOutlet, type StreamHandle } from "../../core/mod.ts";
import { Mp4Viewer } from "./viewer.ts";
import { wishesOfStrings } from "./wishes.ts";

/** What is sent on each socket now: a new request takes the place of the one before. */
const outlets = new WeakMap<ApiSocket, SinkOutlet>();

/**
 * Sends a stream over `/api/ws` (contract §4.2, §4.4): the type as JSON, the header, then fragments. A change of the
 * codec sends a new type, if it is another, and a new header. `mp4` sends only pictures, each a file of its own.
 */
export async function streamToSocket(
  stream: StreamHandle,
  socket: ApiSocket,
  value: unknown,
  mode: "mse" | "mp4",
): Promise<void> {
  const isStills = mode === "mp4";
  const viewer = await Mp4Viewer.attach(stream, socket.principal, {
    formatName: isStills ? "mp4" : "mse/fmp4",
    protocol: "ws",
    remoteAddr: socket.remoteAddr,
    userAgent: socket.userAgent,
    medias: wishesOfStrings(value, isStills ? ["video"] : ["video", "audio"]),
    start: parseStart(socket.query.get("start")) ?? stream.start ?? "now",
    isStills,
    isCopiedAtOnce: true,
    onClose: (reason) => {
      outlets.get(socket)?.end(reason);
      socket.socket.close(1001, reason.slice(0, 100));
    },
  }, socket.signal);
  if (socket.signal.aborted || !socket.socket.isOpen) return viewer[Symbol.dispose]();
  outlets.get(socket)?.end("another request took its place");
  socket.send("mse", viewer.mime);
  // One that takes none of its messages is closed for that.
  if (!socket.socket.isOpen) return viewer[Symbol.dispose]();
  if (!isStills) socket.socket.send(viewer.initSegment);
  const outlet = new SinkOutlet(socket.socket, {
    reader: viewer.reader,
    render: viewer.render,
    beforeSend: () => {
      const mime = viewer.takeNotice();
      if (mime !== undefined) socket.send("mse", mime);
    },
    onEnd: (reason) => {
      viewer[Symbol.dispose]();
      // It takes nothing any more, or never will: the player is to connect anew.
      if (reason.startsWith("accepted no byte")) socket.socket.close(1008, reason);
    },
  });
  outlets.set(socket, outlet);
  socket.defer(() => outlet.end("the socket was closed"));
  outlet.pump();
}
