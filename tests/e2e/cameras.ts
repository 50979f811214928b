/** Cameras that nobody here wrote: GStreamer's RTSP server and ffmpeg. */
import { gstPython, type Program, start } from "../support/programs.ts";
import { CLOCK_INPUT } from "./clock.ts";

const X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"];

/** ffmpeg, encoding what `input` shows and publishing it. */
export function publish(
  url: string,
  options: {
    readonly input?: readonly string[];
    readonly codecs?: readonly string[];
    readonly gop?: number;
    readonly transport?: "tcp" | "udp";
  } = {},
): Program {
  const { input = CLOCK_INPUT, codecs = X264, gop = 25, transport = "tcp" } = options;
  const output = ["-g", String(gop), "-f", "rtsp", "-rtsp_transport", transport, url];
  return start("ffmpeg", ["-v", "error", ...input, ...codecs, ...output]);
}

/** The usual test picture, and a tone. */
export const TEST_PICTURE = ["-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=15"];
export const TONE = ["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"];
export { X264 };

const SERVER = `
import sys, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0"); gi.require_version("GstRtsp", "1.0")
from gi.repository import Gst, GstRtspServer, GstRtsp, GLib
Gst.init(None)
launch, port, kind = sys.argv[1:]
server = GstRtspServer.RTSPServer(); server.set_service(port); server.set_address("127.0.0.1")
factory = GstRtspServer.RTSPMediaFactory(); factory.set_shared(True); factory.set_launch(launch)
if kind == "digest":
    permissions = GstRtspServer.RTSPPermissions(); permissions.add_role("user")
    for right in ("access", "construct"):
        permissions.add_permission_for_role("user", "media.factory." + right, True)
    factory.set_permissions(permissions)
    token = GstRtspServer.RTSPToken(); token.set_string("media.factory.role", "user")
    auth = GstRtspServer.RTSPAuth(); auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest("admin", "p@ss", token)
    server.set_auth(auth)
server.get_mount_points().add_factory("/cam", factory); server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
`;

/** A camera with an address. */
export interface Camera extends AsyncDisposable {
  readonly port: number;
  /** With its login, if it has one. */
  readonly url: string;
}

/** Starts GStreamer's RTSP server with a pipeline; the login is `admin`, `p@ss`. */
export async function gstCamera(
  launch: string,
  options: { readonly port?: number; readonly hasLogin?: boolean } = {},
): Promise<Camera> {
  const { port = 0, hasLogin = false } = options;
  const python = await gstPython();
  const args = ["-c", SERVER, launch, String(port), hasLogin ? "digest" : "open"];
  const program = start(python!, args);
  const reader = program.stdout.getReader();
  const { value } = await reader.read();
  const bound = Number(new TextDecoder().decode(value));
  if (!bound) throw new Error(`The camera did not start: ${program.errors()}`);
  return {
    port: bound,
    url: `rtsp://${hasLogin ? "admin:p%40ss@" : ""}127.0.0.1:${bound}/cam`,
    async [Symbol.asyncDispose]() {
      await reader.cancel();
      await program[Symbol.asyncDispose]();
    },
  };
}

/** A picture of GStreamer's, encoded by x264 with a keyframe each second. */
export function gstPicture({ width, height }: { readonly width: number; readonly height: number }): string {
  return `videotestsrc is-live=true ! video/x-raw,width=${width},height=${height},framerate=25/1 ! ` +
    `x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25`;
}
