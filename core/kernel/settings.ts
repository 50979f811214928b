import type { AccessSettings, ServiceLogin } from "../access/settings.ts";
import type { Principal } from "../access/types.ts";
import { parseEntry } from "../streams/entry.ts";
import { parseSourceUrl } from "../net/source_url.ts";
import type { SourceRegistry } from "../streams/types.ts";
import type { Config, Validated } from "./config/mod.ts";
import { isConfigMap } from "./config/tree.ts";
import {
  type AccessConfig,
  accessSchema,
  type ApiConfig,
  apiSchema,
  type AppConfig,
  appSchema,
  type LogConfig,
  logSchema,
} from "./schema.ts";

/** The kernel's own sections, checked; a section with mistakes is off, which never opens what it was to close. */
export interface KernelSettings {
  readonly app: AppConfig;
  readonly log: LogConfig;
  /** Off: there is no HTTP listener. */
  readonly api: ApiConfig;
  /** The section `api` has mistakes: there is no HTTP until a restart with better ones. */
  readonly isApiOff: boolean;
  readonly access: AccessSettings;
}

/** Reads the kernel's own sections. One with mistakes stays as it was `before`, or is off. */
export function readSettings(config: Config, before?: KernelSettings): KernelSettings {
  const app = config.validate("app", appSchema);
  const log = config.validate("log", logSchema);
  const api = config.validate("api", apiSchema);
  const access = config.validate("access", accessSchema);
  const apiConfig = api.ok ? api.value : before?.api ?? apiSchema.parse({ listen: "" });
  const isSound = access.ok && api.ok && config.isComplete;
  return {
    app: app.ok ? app.value : before?.app ?? {},
    log: log.ok ? log.value : before?.log ?? logSchema.parse({}),
    api: apiConfig,
    isApiOff: !api.ok && (before?.isApiOff ?? true),
    access: before && !isSound ? before.access : accessSettings(config, access, apiConfig, isSound),
  };
}

function accessSettings(
  config: Config,
  access: Validated<AccessConfig>,
  api: ApiConfig,
  isSound: boolean,
): AccessSettings {
  const section = access.ok ? access.value : accessSchema.parse({});
  return {
    open: section.open && isSound,
    hosts: section.hosts,
    trustedProxies: section.trusted_proxies,
    // With mistakes in the section nobody knows whom it was to let in.
    loginProxies: isSound ? section.login_proxies : {},
    localNetworks: section.local,
    trustApi: section.trust_api,
    // Nobody knows this login: with mistakes in the section only the machine itself is let in.
    users: isSound ? section.users : [{ name: crypto.randomUUID(), password: crypto.randomUUID() }],
    api: { username: api.username, password: api.password, localAuth: api.local_auth, origin: api.origin },
    services: { rtsp: loginOf(config, "rtsp") },
  };
}

function loginOf(config: Config, section: string): ServiceLogin {
  const value = config.section(section) ?? {};
  // Nobody knows this login: a section that is no map never opens what it was to close.
  if (!isConfigMap(value)) return { username: crypto.randomUUID(), password: crypto.randomUUID() };
  const text = (key: string) => textOf(value[key], config.sourceOf([section, key]));
  return { username: text("username"), password: text("password") };
}

// As it is written: 001234 is a number to YAML, to people it is a password.
function textOf(value: unknown, source: string | undefined): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "object") return crypto.randomUUID();
  return typeof value === "string" ? value : source ?? String(value);
}

/** Sections that name programs, or decide who may do what. */
const TRUSTED_SECTIONS = new Set(["access", "plugins", "exec", "echo", "expr", "ngrok"]);
const TRUSTED_KEYS = new Set([
  ...["ffmpeg.bin", "api.username", "api.password", "api.local_auth", "app.modules"],
  // Any file of the machine could be shown, or written.
  ...["api.static_dir", "log.output"],
]);

/** Tells what of a changed config a principal may not decide: it is stored, but not applied. */
export function holdsFor(
  principal: Principal,
  registry: SourceRegistry,
): (path: readonly string[], value: unknown) => boolean {
  if (principal.isTrusted) return () => false;
  return ([section = "", key], value) => {
    // No map in the place of one takes every key away, also those that close something.
    if (key === undefined) return true;
    if (TRUSTED_SECTIONS.has(section) || TRUSTED_KEYS.has(`${section}.${key}`)) return true;
    // Input and output templates of ffmpeg are command lines.
    if (section === "ffmpeg") return true;
    if (section !== "streams" && section !== "publish") return false;
    return parseEntry(value).sources.some((text) => registry.isTrusted(parseSourceUrl(text).scheme));
  };
}
