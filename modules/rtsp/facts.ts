import { type ConnectionInfo, redactUrls, type SourceUrl } from "../../core/mod.ts";
import type { Description, RtspClient } from "./client.ts";
import { type RtspSourceOptions, SOFTWARE } from "./options.ts";

/** What the JSON tells of a camera's connection; counters are added when it is read. */
export type CameraFacts = Omit<ConnectionInfo, "bytesReceived" | "bytesSent">;

/** Gathers them once the camera has described itself. */
export function cameraFacts(
  client: RtspClient,
  { transport }: RtspSourceOptions,
  source: SourceUrl,
  description: Description,
): CameraFacts {
  return {
    formatName: "rtsp",
    protocol: transport.kind === "websocket" ? "ws" : `rtsp+${transport.kind}`,
    remoteAddr: hostPort(client.connection?.remoteAddress),
    url: redactUrls(source.url),
    sdp: description.text,
    userAgent: SOFTWARE,
  };
}

/** `host:port`, with brackets round an IPv6 address. */
export function hostPort(address: { readonly host: string; readonly port: number } | undefined): string {
  if (!address) return "";
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
