/** Logins, deadlines, byte streams and source URLs: what protocols that dial and listen have in common. */
export * from "./byte_reader.ts";
export * from "./deadline.ts";
export * from "./digest.ts";
export * from "./listen_fault.ts";
export * from "./plain_host.ts";
export * from "./source_url.ts";
