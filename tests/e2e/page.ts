/** The player in Chromium, as a person would open it, and what its picture shows. */
import type { Browser, Page } from "playwright-core";
import { openBrowser } from "../support/browser.ts";
import { CLOCK_SIZE } from "./clock.ts";

/** What the player tells of itself. */
export interface Stats {
  readonly mode: string;
  readonly codecs: string;
  readonly width: number;
  readonly decoded: number;
  readonly lag: number;
  readonly jumps: number;
  readonly stalls: number;
  readonly inits: number;
}

// Runs in the page: reads the clock of each picture as it is shown, from the first one on.
const WATCH = `
globalThis.shown = [];
globalThis.socketMs = 0;
const Socket = WebSocket;
globalThis.WebSocket = class extends Socket {
  constructor(...args) {
    globalThis.socketMs ||= performance.now();
    super(...args);
  }
};
const canvas = document.createElement("canvas");
const pen = canvas.getContext("2d", { willReadFrequently: true });
const blocks = ${CLOCK_SIZE.width / 16};
const read = (video) => {
  const nowMs = Date.now();
  canvas.width = video.videoWidth;
  canvas.height = 1;
  pen.drawImage(video, 0, video.videoHeight >> 1, video.videoWidth, 1, 0, 0, video.videoWidth, 1);
  const row = pen.getImageData(0, 0, video.videoWidth, 1).data;
  const bright = Array.from({ length: blocks }, (_, i) => row[4 * Math.floor((i + 0.5) * video.videoWidth / blocks)]);
  shown.push({ atMs: performance.now() - socketMs, nowMs, bright, width: video.videoWidth });
};
const follow = (video) => {
  const next = () => {
    read(video);
    video.requestVideoFrameCallback(next);
  };
  video.requestVideoFrameCallback(next);
};
new MutationObserver(() => {
  for (const video of document.querySelectorAll("video")) {
    if (video.isFollowed) continue;
    video.isFollowed = true;
    follow(video);
  }
}).observe(document, { childList: true, subtree: true });
`;

/** A picture that the page showed: when, after it opened its socket, and the brightness of its blocks. */
export interface PagePicture {
  readonly atMs: number;
  /** The wall clock at that moment. */
  readonly nowMs: number;
  readonly bright: readonly number[];
  readonly width: number;
}

/** A tab with the player. */
export class PlayerPage {
  readonly page: Page;
  readonly faults: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on("pageerror", (error) => this.faults.push(error.message));
  }

  /** Opens an address; the player need not be on it yet. */
  static async open(browser: Browser, url: string): Promise<PlayerPage> {
    const page = await browser.newPage({ viewport: { width: 960, height: 540 } });
    const player = new PlayerPage(page);
    await page.addInitScript(WATCH);
    await page.goto(url);
    return player;
  }

  async stats(): Promise<Stats> {
    return await this.page.evaluate("document.querySelector('video-stream').stats") as Stats;
  }

  /** Waits until an expression about the player `p` holds. */
  async until(condition: string, timeoutMs = 15_000): Promise<void> {
    const code = `(() => { const p = document.querySelector("video-stream"); return Boolean(p && (${condition})); })()`;
    // Not by a function of the page's, whose content security policy stays in force.
    const end = performance.now() + timeoutMs;
    while (!await this.page.evaluate(code)) {
      if (performance.now() > end) {
        throw new Error(
          `The page never saw ${condition}: ${JSON.stringify(await this.stats().catch(() => undefined))}`,
        );
      }
      await this.page.waitForTimeout(50);
    }
  }

  /** Waits for so many more decoded pictures. */
  async decodes(count: number, timeoutMs?: number): Promise<void> {
    const { decoded } = await this.stats();
    await this.until(`p.stats.decoded >= ${decoded + count}`, timeoutMs);
  }

  /** What was shown so far. */
  async pictures(): Promise<readonly PagePicture[]> {
    return await this.page.evaluate("globalThis.shown") as PagePicture[];
  }
}

/** Chromium, closed when disposed of. */
export async function chromium(namespace?: string): Promise<{ readonly browser: Browser } & AsyncDisposable> {
  const browser = await openBrowser(namespace === undefined ? {} : { namespace });
  return { browser, [Symbol.asyncDispose]: () => browser.close() };
}

/** Options of a test with a browser: its pipes and the driver's timers outlive its end for a moment. */
export const BROWSER_TEST = { sanitizeOps: false, sanitizeResources: false } as const;
