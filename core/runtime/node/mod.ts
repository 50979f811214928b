/** The system as Node gives it: what `../mod.ts` exports, on Node 20 and later. The bundle for Node takes it in its place. */
import "./missing.ts";
export * from "../types.ts";
export * from "./tcp.ts";
export * from "./tls.ts";
export * from "./udp.ts";
export * from "./child.ts";
export * from "./files.ts";
export * from "./errors.ts";
export * from "./process.ts";
export * from "./http.ts";
export * from "./accel.ts";
export * from "./sd_notify.ts";
export * from "../packet_cipher.ts";
export type { ServiceState } from "../sd_notify.ts";
export { notifySystemd } from "./sd_notify.ts";

/** A buffer for incoming bytes. Views of it are handed out, so it is never overwritten. */
export function slab(sizeBytes: number): Uint8Array {
  return new Uint8Array(sizeBytes);
}
