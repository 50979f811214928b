import type { BuiltIn } from "../core/mod.ts";

/** The modules that come with the program, in the order in which they are set up; each is imported when it is on. */
export const builtIns: readonly BuiltIn[] = [
  { name: "api", load: () => import("./api/mod.ts") },
  { name: "streams", enabledBy: ["*"], load: () => import("./streams/mod.ts") },
  { name: "rtsp", load: () => import("./rtsp/mod.ts") },
  { name: "webrtc", load: () => import("./webrtc/mod.ts") },
  { name: "mp4", load: () => import("./mp4/mod.ts") },
  { name: "demo", load: () => import("./demo/mod.ts") },
  { name: "www", enabledBy: ["www", "api"], load: () => import("./www/mod.ts") },
];
