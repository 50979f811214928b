/** What the program uses of the language and the web's names and an older Node lacks (20, and some of it 22). */
import { Buffer } from "node:buffer";
import { WebSocketClient } from "./websocket_client.ts";

interface Base64Options {
  readonly alphabet?: "base64" | "base64url";
  readonly omitPadding?: boolean;
}

function define(on: object, name: string, value: unknown): void {
  if (!(name in on)) Object.defineProperty(on, name, { value, writable: true, configurable: true });
}

define(Promise, "withResolvers", function withResolvers<T>() {
  let resolve!: (value: T | PromiseLike<T>) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((onResolved, onRejected) => {
    resolve = onResolved;
    reject = onRejected;
  });
  return { promise, resolve, reject };
});

define(URL, "parse", function parse(text: string | URL, base?: string | URL): URL | null {
  return URL.canParse(String(text), base === undefined ? undefined : String(base)) ? new URL(text, base) : null;
});

define(Map, "groupBy", function groupBy<K, T>(items: Iterable<T>, keyOf: (item: T, index: number) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  let index = 0;
  for (const item of items) {
    const key = keyOf(item, index++);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
});

define(Uint8Array.prototype, "toHex", function toHex(this: Uint8Array): string {
  return Buffer.from(this.buffer, this.byteOffset, this.length).toString("hex");
});

define(Uint8Array.prototype, "toBase64", function toBase64(this: Uint8Array, options: Base64Options = {}): string {
  const { alphabet = "base64", omitPadding = false } = options;
  const text = Buffer.from(this.buffer, this.byteOffset, this.length).toString(alphabet);
  if (omitPadding) return text.replace(/=+$/, "");
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
});

define(Uint8Array, "fromHex", function fromHex(text: string): Uint8Array {
  if (!/^(?:[\da-f]{2})*$/i.test(text)) throw new SyntaxError("Text is not hexadecimal");
  return new Uint8Array(Buffer.from(text, "hex"));
});

define(Uint8Array, "fromBase64", function fromBase64(text: string, options: Base64Options = {}): Uint8Array {
  const isUrl = options.alphabet === "base64url";
  const bare = text.replace(/[\t\n\f\r ]/g, "");
  const isBase64 = (isUrl ? /^[\w-]*={0,2}$/ : /^[A-Za-z\d+/]*={0,2}$/).test(bare) &&
    bare.replace(/=+$/, "").length % 4 !== 1;
  if (!isBase64) throw new SyntaxError("Text is not base64");
  return new Uint8Array(Buffer.from(bare, isUrl ? "base64url" : "base64"));
});

// Node 22 has one, which does not tell with what status a server refused; to define it anew, and not just to set it,
// would load all of that.
(globalThis as { WebSocket: unknown }).WebSocket = WebSocketClient;
