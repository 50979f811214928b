/** The config: reading, checking, editing, watching. */
export * from "./config.ts";
export * from "./problem.ts";
export type { Validated } from "./validate.ts";
export type { Holds } from "./held.ts";
export type { Environment } from "./variables.ts";
export { setInText } from "./edit.ts";
