/** Chromium for tests, maybe inside a network namespace. */
import { type Browser, chromium } from "playwright-core";

/** How it is started. */
export interface BrowserOptions {
  readonly namespace?: string;
  /** An origin that is treated as secure, so that pages of it get the microphone. */
  readonly secureOrigin?: string;
  /** Gives names of the local network in place of addresses, as browsers do by default. */
  readonly hidesAddresses?: boolean;
  readonly flags?: readonly string[];
}

const FLAGS = [
  ...["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"],
  "--use-fake-device-for-media-stream",
];

/** Starts Chromium; close it at the end. */
export async function openBrowser(options: BrowserOptions = {}): Promise<Browser> {
  const { namespace, secureOrigin, hidesAddresses = false, flags = [] } = options;
  const args = [...FLAGS, ...flags];
  // Such names cannot be told to others everywhere tests run. A page that may use the camera sees addresses too.
  if (!hidesAddresses) args.push("--disable-features=WebRtcHideLocalIpsWithMdns", "--use-fake-ui-for-media-stream");
  if (secureOrigin) args.push(`--unsafely-treat-insecure-origin-as-secure=${secureOrigin}`);
  if (!namespace) return await chromium.launch({ executablePath: "/usr/bin/chromium", args });
  const wrapper = await Deno.makeTempFile({ prefix: "lenswire-chromium-" });
  await Deno.writeTextFile(wrapper, `#!/bin/sh\nexec ip netns exec ${namespace} /usr/bin/chromium "$@"\n`);
  await Deno.chmod(wrapper, 0o755);
  try {
    return await chromium.launch({ executablePath: wrapper, args });
  } finally {
    await Deno.remove(wrapper);
  }
}
