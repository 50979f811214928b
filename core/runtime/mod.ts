/** The system this program runs on. Every other file imports this one, never a runtime's own names. */
export * from "./types.ts";
export * from "./deno.ts";
export * from "./http.ts";
export * from "./accel.ts";
export * from "./packet_cipher.ts";
export * from "./sd_notify.ts";
export { giveBackFreedMemory } from "./freed_memory.ts";
