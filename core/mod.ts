/**
 * The public surface: what modules and plugins may use. Built-in modules import this file and no other of `core`; a file
 * in `plugins/` gets the same as `ctx.core`.
 */
export * from "./util/errors.ts";
export * from "./runtime/mod.ts";
export * from "./net/mod.ts";
export * from "./codecs/mod.ts";
export * from "./media/mod.ts";
export * from "./rtp/mod.ts";
export * from "./formats/mod.ts";
export * from "./streams/mod.ts";
export * from "./access/own_calls.ts";
export * from "./access/types.ts";
export { contains as networkContains, type IpBytes, type Network, parseIp, parseNetwork } from "./access/address.ts";
export * from "./kernel/plugin.ts";
export * from "./kernel/kernel_service.ts";
export * from "./kernel/http/responses.ts";
export * from "./kernel/address.ts";
export type { BuiltIn } from "./kernel/builtin.ts";
