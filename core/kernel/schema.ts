import * as z from "zod/mini";
import { parseNetwork } from "../access/address.ts";

/** The log levels, from everything to nothing. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "panic", "disabled"] as const;

const level = z.enum(LOG_LEVELS);
const means = z.describe;

function text(preset: string, meaning: string) {
  return z._default(z.string(), preset).check(means(meaning));
}
function flag(meaning: string) {
  return z._default(z.boolean(), false).check(means(meaning));
}
function list<Item extends z.ZodMiniType>(item: Item, meaning: string) {
  return z._default(z.array(item), []).check(means(meaning));
}

const source = { type: "string", examples: ["rtsp://user:password@192.168.1.10/stream"] } as const;

/** The section `app`. */
export const appSchema = z.object({
  modules: z.optional(z.array(z.string())).check(means("The modules to load; absent means all of them.")),
}).check(means("What this server is made of."));

/** The section `env`. */
export const envSchema = z.record(
  z.string(),
  z.string().check(means("A value for `${NAME}`; it is masked in the log.")),
).check(means("Variables for `${NAME}` and `${NAME:default}` anywhere in the config files."));

/** The section `log`; every other key is the level of the module that has its name. */
export const logSchema = z.catchall(
  z.object({
    level: z._default(level, "info").check(means("The level of every module without its own.")),
    output: text(
      "stdout",
      "`stdout`, `stderr`, `file` (go2rtc.log) or `file:PATH`; an empty text keeps the log in memory only.",
    ),
    format: z._default(z.enum(["", "color", "text", "json"]), "").check(
      means("Empty: coloured when the output is a terminal."),
    ),
    time: text(
      "UNIXMS",
      "The time in JSON lines: `UNIXMS`, `UNIXMICRO`, `UNIXNANO` or a Go time layout; an empty text leaves the time out everywhere.",
    ),
  }),
  level.check(means("The level of one module.")),
).check(means("What is logged, where and how."));

/** The section `api`. */
export const apiSchema = z.object({
  listen: text(":1984", "Address of the HTTP server; an empty text turns it off."),
  username: text("", "Login of the administrator; empty means the rules of `access` alone decide."),
  password: text("", "Password of the administrator."),
  local_auth: flag("Ask for the login from this machine and the unix socket too."),
  base_path: text("", "Prefix of every route, for a reverse proxy with a sub-path."),
  static_dir: text("", "Serve this folder instead of the built-in pages."),
  origin: text("", "`*` allows pages of other sites to use the API."),
  tls_listen: text("", "Address of the HTTPS server; it needs `tls_cert` and `tls_key`."),
  tls_cert: text("", "Certificate chain: PEM text or a file's path."),
  tls_key: text("", "Private key: PEM text or a file's path."),
  unix_listen: text("", "Path of a unix socket to serve HTTP on."),
  allow_paths: z.optional(z.array(z.string())).check(
    means("The only routes to serve, with `base_path`; `/` stands for the pages. Absent means all."),
  ),
}).check(means("The HTTP server."));

const roleSchema = z.enum(["viewer", "operator", "admin"]);

/** One entry of `access.users`. */
export const userSchema = z.object({
  name: z.string().check(z.minLength(1), means("Login name.")),
  password: z.string().check(z.minLength(1), means("Password.")),
  role: z._default(roleSchema, "viewer").check(means(
    "`viewer` watches, listens, talks and takes pictures; `operator` also changes streams; `admin` may do everything.",
  )),
  rights: z.optional(z.array(z.enum(["watch", "listen", "talk", "snapshot", "playback", "publish"]))).check(
    means("What it may do with its cameras, instead of what the role may."),
  ),
  cameras: z._default(z.array(z.string()), ["*"]).check(
    means("The streams it may use; `*` stands for any text."),
  ),
});

const network = z.string().check(z.refine((text) => parseNetwork(text) !== undefined, {
  error: "expected an address or a prefix, like 192.168.1.2 or 10.0.0.0/8",
}));
const proxy = z.string().check(z.refine((text) => text === "unix" || parseNetwork(text) !== undefined, {
  error: "expected an address or a prefix, like 172.30.32.2 or 10.0.0.0/8, or unix",
}));

/** The section `access`. */
export const accessSchema = z.object({
  open: flag("Let everybody do everything, as go2rtc does. Only for a network you trust."),
  users: list(userSchema, "Who may log in, and what they may do."),
  trusted_proxies: list(proxy, "Addresses or prefixes of reverse proxies whose `X-Forwarded-For` is believed."),
  login_proxies: z._default(z.record(proxy, roleSchema.check(means("The role of who comes through it."))), {}).check(
    means(
      "Reverse proxies that let through only who has logged in there, by address or prefix, and the role of those: " +
        "`172.30.32.2: admin` for Home Assistant's ingress.",
    ),
  ),
  hosts: list(z.string(), "Further names under which this server is reached by browsers."),
  local: list(network, "Further prefixes that count as the local network, like `100.64.0.0/10`."),
  trust_api: flag(
    "Let the HTTP API set sources that run commands (`exec`, `echo`, `expr`, raw `ffmpeg` arguments).",
  ),
}).check(means("Who may do what. A change counts at once, also for those who are watching."));

/** The section `streams`: entries are read one by one, so that a bad one disables only itself. */
export const streamsSchema = z.record(
  z.string(),
  z.unknown().check(z.meta({
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
  })),
).check(means("The cameras by name."));

/** The section `publish`; entries are read one by one. */
export const publishSchema = z.record(
  z.string(),
  z.unknown().check(z.meta({
    description: "Where the stream is pushed to: an address or a list.",
    anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
  })),
).check(means("Streams that are pushed to other servers, by stream name."));

/** The section `preload`; entries are read one by one. */
export const preloadSchema = z.record(
  z.string(),
  z.unknown().check(z.meta({
    description: "Which media to keep running: `video&audio` when empty.",
    anyOf: [{ type: "string" }, { type: "null" }],
  })),
).check(means("Streams that stay connected without a viewer, by stream name."));

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
