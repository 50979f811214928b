import { definePlugin, PLUGIN_API, StreamError, type StreamHandle } from "../../core/mod.ts";
import { frameFile, streamFile } from "./file.ts";
import { streamToSocket } from "./socket.ts";

/** Fragmented MP4: for Media Source Extensions over the WebSocket, as an endless file, and as a still. */
export default definePlugin({
  name: "mp4",
  api: PLUGIN_API,
  setup(ctx) {
    const found = (stream: StreamHandle | undefined): StreamHandle => {
      if (!stream) throw new StreamError("NOT_FOUND", "stream not found");
      return stream;
    };
    ctx.http.get("/api/stream.mp4", {
      summary: "The stream as an endless MP4 file",
      needs: "watch",
      query: {
        src: "Stream name, or a source URL",
        "mp4, mp4=flac, mp4=all": "Which sound to include",
        "video, audio": "Codec filters",
        duration: "Seconds after which the file ends",
        start: "live (default), keyframe or now",
        filename: "Name to download it by",
        "rotate, scale": "Written into the header: 90, 180, 270; 4:3",
      },
    }, (call) => streamFile(ctx.streams.getOrPatch(call.query, call.principal), call));
    ctx.http.get("/api/frame.mp4", {
      summary: "The newest keyframe as an MP4 file",
      needs: "snapshot",
      query: { src: "Stream name", filename: "Name to download it by" },
    }, (call) => frameFile(found(ctx.streams.get(call.query.get("src") ?? "", call.principal)), call));
    ctx.socket(
      "mse",
      { needs: "watch", summary: "Stream for Media Source Extensions; value: codec strings" },
      (value, socket) => streamToSocket(ctx.streams.getOrPatch(socket.query, socket.principal), socket, value, "mse"),
    );
    ctx.socket(
      "mp4",
      { needs: "watch", summary: "Pictures as MP4 files; value: codec strings" },
      (value, socket) => streamToSocket(ctx.streams.getOrPatch(socket.query, socket.principal), socket, value, "mp4"),
    );
  },
});
