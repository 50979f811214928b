import { definePlugin, PLUGIN_API, StreamError } from "../../core/mod.ts";
import { shippedClip } from "./clip.ts";
import { LoopProducer } from "./producer.ts";

/** `demo:`: a short clip in a loop, so that there are moving pictures without a camera. */
export default definePlugin({
  name: "demo",
  api: PLUGIN_API,
  setup(ctx) {
    ctx.source("demo", {
      async open(source) {
        if (source.rest !== "") {
          throw new StreamError("BAD_SOURCE", `demo: source "${source.url}" has an address: write "demo:" alone`);
        }
        return new LoopProducer(await shippedClip(), source.url);
      },
    });
  },
});
