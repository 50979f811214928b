/** Who asks, and what he may: the one choke point of every protocol. */
export * from "./types.ts";
export * from "./settings.ts";
export * from "./address.ts";
export * from "./glob.ts";
export * from "./login.ts";
export * from "./origin.ts";
export * from "./principals.ts";
export * from "./proxy.ts";
export * from "./access.ts";
