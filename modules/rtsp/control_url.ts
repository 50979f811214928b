import type { RtspHeaders } from "./message.ts";

/**
 * The URL that the controls of an SDP are relative to: `Content-Base` if there is one, else the request's URL.
 * `Quirk(cameras with a broken Content-Base): "rtsp://rtsp://host/", a bare host without scheme, and an IPv6 address without
 * brackets are repaired.`
 */
export function controlBase(headers: RtspHeaders, requestUrl: string): string {
  let base = (headers.get("Content-Base") ?? "").trim();
  if (base === "") return requestUrl;
  if (base.startsWith("/")) return requestUrl.replace(/^([a-z]+:\/\/[^/?]*).*$/i, `$1${base}`);
  base = base.replace(/^(?:rtsps?:\/\/)+(rtsps?:\/\/)/i, "$1");
  if (!/^rtsps?:\/\//i.test(base)) base = `rtsp://${base.replace(/^\/+/, "")}`;
  return base.replace(
    /^(rtsps?:\/\/)(?![^/]*\[)((?:[\da-f]*:){2,}[\da-f.:]*)/i,
    (_all, scheme: string, host: string) => {
      // What follows the last colon of a mapped address may be a port: `::ffff:1.2.3.4:554`.
      const mapped = /^(.*:\d+\.\d+\.\d+\.\d+)(?::(\d*))?$/.exec(host);
      return mapped ? `${scheme}[${mapped[1]}]${mapped[2] ? `:${mapped[2]}` : ""}` : `${scheme}[${host}]`;
    },
  );
}

/** The URL of a media: its control as it stands when absolute, else behind the base. */
export function controlUrl(base: string, control: string | undefined): string {
  if (control && /^rtsps?:\/\//i.test(control)) return control;
  const path = control && control !== "*" ? control : "";
  return base.endsWith("/") || path.startsWith("/") ? base + path : `${base}/${path}`;
}

/** The URL of PLAY and TEARDOWN: the session's own control where it is one, else the base. */
export function aggregateUrl(base: string, control: string | undefined): string {
  return control && control !== "*" ? controlUrl(base, control) : base;
}

/** The URL with another host. */
export function withHost(url: string, host: string): string {
  return url.replace(/^([a-z]+:\/\/)(?:[^/?@]*@)?(\[[^\]]*\]|[^:/?]*)/i, `$1${host}`);
}

/** The URL without a login. */
export function withoutLogin(url: string): string {
  return url.replace(/^([a-z]+:\/\/)[^/?]*@/i, "$1");
}
