import { z } from "zod";
import { parseNetwork } from "../access/address.ts";

/** The log levels, from everything to nothing. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "panic", "disabled"] as const;

const level = z.enum(LOG_LEVELS);

const source = { type: "string", examples: ["rtsp://user:password@192.168.1.10/stream"] } as const;

/** The section `app`. */
export const appSchema = z.object({
  modules: z.array(z.string()).optional().describe("The modules to load; absent means all of them."),
}).describe("What this server is made of.");

/** The section `env`. */
export const envSchema = z.record(z.string(), z.string().describe("A value for `${NAME}`; it is masked in the log."))
  .describe("Variables for `${NAME}` and `${NAME:default}` anywhere in the config files.");

/** The section `log`; every other key is the level of the module that has its name. */
export const logSchema = z.object({
  level: level.default("info").describe("The level of every module without its own."),
  output: z.string().default("stdout").describe(
    "`stdout`, `stderr`, `file` (go2rtc.log) or `file:PATH`; an empty text keeps the log in memory only.",
  ),
  format: z.enum(["", "color", "text", "json"]).default("").describe("Empty: coloured when the output is a terminal."),
  time: z.string().default("UNIXMS").describe(
    "The time in JSON lines: `UNIXMS`, `UNIXMICRO`, `UNIXNANO` or a Go time layout; an empty text leaves the time out everywhere.",
  ),
}).catchall(level.describe("The level of one module.")).describe("What is logged, where and how.");

/** The section `api`. */
export const apiSchema = z.object({
  listen: z.string().default(":1984").describe("Address of the HTTP server; an empty text turns it off."),
  username: z.string().default("").describe(
    "Login of the administrator; empty means the rules of `access` alone decide.",
  ),
  password: z.string().default("").describe("Password of the administrator."),
  local_auth: z.boolean().default(false).describe("Ask for the login from this machine and the unix socket too."),
  base_path: z.string().default("").describe("Prefix of every route, for a reverse proxy with a sub-path."),
  static_dir: z.string().default("").describe("Serve this folder instead of the built-in pages."),
  origin: z.string().default("").describe("`*` allows pages of other sites to use the API."),
  tls_listen: z.string().default("").describe("Address of the HTTPS server; it needs `tls_cert` and `tls_key`."),
  tls_cert: z.string().default("").describe("Certificate chain: PEM text or a file's path."),
  tls_key: z.string().default("").describe("Private key: PEM text or a file's path."),
  unix_listen: z.string().default("").describe("Path of a unix socket to serve HTTP on."),
  allow_paths: z.array(z.string()).optional().describe(
    "The only routes to serve, with `base_path`; `/` stands for the pages. Absent means all.",
  ),
}).describe("The HTTP server.");

const roleSchema = z.enum(["viewer", "operator", "admin"]);

/** One entry of `access.users`. */
export const userSchema = z.object({
  name: z.string().min(1).describe("Login name."),
  password: z.string().min(1).describe("Password."),
  role: roleSchema.default("viewer").describe(
    "`viewer` watches, listens, talks and takes pictures; `operator` also changes streams; `admin` may do everything.",
  ),
  rights: z.array(z.enum(["watch", "listen", "talk", "snapshot", "playback", "publish"])).optional().describe(
    "What it may do with its cameras, instead of what the role may.",
  ),
  cameras: z.array(z.string()).default(["*"]).describe("The streams it may use; `*` stands for any text."),
});

const network = z.string().refine((text) => parseNetwork(text) !== undefined, {
  error: "expected an address or a prefix, like 192.168.1.2 or 10.0.0.0/8",
});
const proxy = z.string().refine((text) => text === "unix" || parseNetwork(text) !== undefined, {
  error: "expected an address or a prefix, like 172.30.32.2 or 10.0.0.0/8, or unix",
});

/** The section `access`. */
export const accessSchema = z.object({
  open: z.boolean().default(false).describe(
    "Let everybody do everything, as go2rtc does. Only for a network you trust.",
  ),
  users: z.array(userSchema).default([]).describe("Who may log in, and what they may do."),
  trusted_proxies: z.array(proxy).default([]).describe(
    "Addresses or prefixes of reverse proxies whose `X-Forwarded-For` is believed.",
  ),
  login_proxies: z.record(proxy, roleSchema.describe("The role of who comes through it.")).default({}).describe(
    "Reverse proxies that let through only who has logged in there, by address or prefix, and the role of those: " +
      "`172.30.32.2: admin` for Home Assistant's ingress.",
  ),
  hosts: z.array(z.string()).default([]).describe("Further names under which this server is reached by browsers."),
  local: z.array(network).default([]).describe(
    "Further prefixes that count as the local network, like `100.64.0.0/10`.",
  ),
  trust_api: z.boolean().default(false).describe(
    "Let the HTTP API set sources that run commands (`exec`, `echo`, `expr`, raw `ffmpeg` arguments).",
  ),
}).describe("Who may do what.");

/** The section `streams`: entries are read one by one, so that a bad one disables only itself. */
export const streamsSchema = z.record(
  z.string(),
  z.unknown().meta({
    description: "A source, a list of sources, or a map with `url`, `linger` (seconds) and `start`.",
    anyOf: [
      source,
      { type: "array", items: source },
      {
        type: "object",
        properties: {
          url: { anyOf: [source, { type: "array", items: source }] },
          linger: { type: ["number", "string"], description: "How long it stays connected after its last viewer." },
          start: { enum: ["live", "keyframe", "now"], description: "Where a viewer begins." },
        },
      },
      { type: "null" },
    ],
  }),
).describe("The cameras by name.");

/** The section `publish`; entries are read one by one. */
export const publishSchema = z.record(
  z.string(),
  z.unknown().meta({
    description: "Where the stream is pushed to: an address or a list.",
    anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
  }),
).describe("Streams that are pushed to other servers, by stream name.");

/** The section `preload`; entries are read one by one. */
export const preloadSchema = z.record(
  z.string(),
  z.unknown().meta({
    description: "Which media to keep running: `video&audio` when empty.",
    anyOf: [{ type: "string" }, { type: "null" }],
  }),
).describe("Streams that stay connected without a viewer, by stream name.");

/** The schemas of the kernel's own config sections, by name. */
export const kernelSchemas = {
  app: appSchema,
  env: envSchema,
  log: logSchema,
  api: apiSchema,
  access: accessSchema,
  streams: streamsSchema,
  publish: publishSchema,
  preload: preloadSchema,
} as const;

/** A level of the log. */
export type LogLevel = (typeof LOG_LEVELS)[number];
/** What `app` holds. */
export type AppConfig = z.infer<typeof appSchema>;
/** What `log` holds. */
export type LogConfig = z.infer<typeof logSchema>;
/** What `api` holds. */
export type ApiConfig = z.infer<typeof apiSchema>;
/** What `access` holds. */
export type AccessConfig = z.infer<typeof accessSchema>;
/** One user of `access.users`. */
export type UserConfig = z.infer<typeof userSchema>;
