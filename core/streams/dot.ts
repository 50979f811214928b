import type { ConnectionJson, Json, StreamJson } from "./types.ts";

const TITLE_KEYS = ["format_name", "protocol", "source", "url", "user_agent"];
const CODEC_KEYS = ["channels", "codec_name", "codec_type", "level", "profile", "sample_rate"];

/** The graph of connections as Graphviz text (contract §3.6). */
export function dotOf(streams: Iterable<StreamJson>): string {
  const lines = new Set<string>();
  for (const { producers, consumers } of streams) {
    for (const producer of producers) drawConnection(producer, "producer", lines);
    for (const consumer of consumers) drawConnection(consumer, "consumer", lines);
  }
  return `digraph {\n${[...lines].map((line) => `${line}\n`).join("")}}\n`;
}

function drawConnection(connection: ConnectionJson, group: "producer" | "consumer", lines: Set<string>): void {
  const id = numberOf(connection.id);
  // Not connected: there is nothing to draw.
  if (id === 0) return;
  const host = hostOf(connection);
  lines.add(`${quote(host)} [group=host];`);
  const label = escape(textOf(connection.format_name));
  lines.add(`${id} [group=${group}, label="${label}", title="${titleOf(connection, TITLE_KEYS)}"];`);
  lines.add(
    group === "producer"
      ? `${quote(host)} -> ${id} [label="${sizeText(numberOf(connection.bytes_recv))}"];`
      : `${id} -> ${quote(host)} [label="${sizeText(numberOf(connection.bytes_send))}"];`,
  );
  for (const receiver of objectsOf(connection.receivers)) {
    const codec = objectOf(receiver.codec);
    const node = numberOf(receiver.id);
    lines.add(`${id} -> ${node} [label="${sizeText(numberOf(receiver.bytes))}"];`);
    lines.add(
      `${node} [group=node, label="${escape(textOf(codec.codec_name))}", title="${titleOf(codec, CODEC_KEYS)}"];`,
    );
  }
  for (const sender of objectsOf(connection.senders)) {
    if (sender.parent === undefined) continue;
    lines.add(`${numberOf(sender.parent)} -> ${id} [label="${sizeText(numberOf(sender.bytes))}"];`);
  }
}

function hostOf({ remote_addr, protocol }: ConnectionJson): string {
  const address = textOf(remote_addr);
  if (address === "") return protocol === "pipe" ? "127.0.0.1" : "unknown";
  const [direct = "", forwarded] = address.split(" forwarded ");
  const first = (forwarded ?? direct).split(" ")[0]!;
  const bracketed = /^\[([^\]]*)\]/.exec(first)?.[1];
  if (bracketed !== undefined) return bracketed;
  // An IPv6 address without brackets has no port.
  return first.split(":").length === 2 ? first.split(":")[0]! : first;
}

function titleOf(fields: Readonly<Record<string, Json | undefined>>, keys: readonly string[]): string {
  return keys.flatMap((key) => {
    const value = fields[key];
    return typeof value === "string" || typeof value === "number" ? [`${key}=${escape(String(value))}`] : [];
  }).join("\\n");
}

/** `999 B`, `1.23 KB`, in steps of 1000. */
function sizeText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["KB", "MB", "GB", "TB", "PB"];
  let size = bytes / 1000;
  let unit = 0;
  while (size >= 999.995 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${size.toFixed(2)} ${units[unit]}`;
}

function quote(text: string): string {
  return `"${escape(text)}"`;
}
function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', "'").replace(/[\r\n]+/g, "\\n");
}
function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
function numberOf(value: Json | undefined): number {
  return typeof value === "number" ? value : 0;
}
function objectsOf(value: Json | undefined): readonly Readonly<Record<string, Json | undefined>>[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}
function objectOf(value: Json | undefined): Readonly<Record<string, Json | undefined>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Readonly<Record<string, Json | undefined>>
    : {};
}
