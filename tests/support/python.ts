/** Python for tests: interpreters that have what is needed, and virtual environments that outlive a run. */
import { cached, hashOf } from "./cache.ts";
import { canRun, run } from "./processes.ts";

const GST_SERVER = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer";
const GST_WEBRTC = "import gi; gi.require_version('GstWebRTC', '1.0'); from gi.repository import GstWebRTC";
const versionFrom = (minor: number) => `import sys, venv, ensurepip; sys.exit(sys.version_info < (3, ${minor}))`;

/** Debian's own first, whatever else is in front of it; then others by name, and those that pyenv keeps, newest last. */
function pythons(): string[] {
  return ["/usr/bin/python3", "python3", "python3.14", "python3.13", "python3.12", ...pyenvPythons()];
}

function pyenvPythons(): string[] {
  const root = Deno.env.get("PYENV_ROOT") ?? `${Deno.env.get("HOME")}/.pyenv`;
  try {
    return [...Deno.readDirSync(`${root}/versions`)].map(({ name }) => `${root}/versions/${name}/bin/python3`).sort();
  } catch {
    return [];
  }
}

async function findPython(code: string): Promise<string | undefined> {
  for (const python of pythons()) if (await canRun(python, ["-c", code])) return python;
  return undefined;
}

/** The Python that has the bindings of GStreamer's RTSP server. */
export function gstPython(): Promise<string | undefined> {
  return findPython(GST_SERVER);
}

/** The Python that has the bindings of GStreamer's WebRTC. */
export function gstWebRtcPython(): Promise<string | undefined> {
  return findPython(GST_WEBRTC);
}

/** A Python that can make virtual environments. */
export function anyPython(): Promise<string | undefined> {
  return findPython(versionFrom(10));
}

// Of version 3.12 or newer.
function modernPython(): Promise<string | undefined> {
  return findPython(versionFrom(12));
}

/** An independent WebRTC stack, with decoders. Its newer versions have no wheels for Debian 12's Python. */
const AIORTC = [
  ...["aiortc==1.14.0", "aioice==0.13.0", "av==16.1.0", "cffi==2.1.1", "cryptography==50.0.2", "dnspython==2.9.2"],
  ...["google-crc32c==1.9.0", "ifaddr==0.2.0", "pycparser==3.12", "pyee==13.0.1", "pylibsrtp==1.0.0"],
  ...["pyOpenSSL==26.4.0", "typing_extensions==4.16.0"],
];
/** What Home Assistant speaks to its server with. */
const GO2RTC_CLIENT = [
  ...["go2rtc-client==0.4.0", "aiohappyeyeballs==2.7.1", "aiohttp==3.14.5", "aiosignal==1.4.0", "attrs==26.1.0"],
  ...["awesomeversion==25.8.0", "frozenlist==1.8.0", "idna==3.20", "mashumaro==3.23", "multidict==7.2.1"],
  ...["orjson==3.13.0", "propcache==0.5.4", "webrtc-models==0.3.0", "yarl==1.25.1"],
];

/** How long installing may take. */
const LIMIT_S = 120;

/** A Python that has aiortc; `undefined` when it cannot be had. */
export function aiortcPython(): Promise<string | undefined> {
  return findVenv("aiortc", AIORTC, anyPython);
}

/** A Python that has Home Assistant's `go2rtc-client`, and aiortc in place of the browser; `undefined` when it cannot be had. */
export function homeAssistantPython(): Promise<string | undefined> {
  return findVenv("go2rtc_client, aiortc", [...GO2RTC_CLIENT, ...AIORTC], modernPython);
}

const known = new Map<string, Promise<string | undefined>>();

function findVenv(
  modules: string,
  pins: readonly string[],
  base: () => Promise<string | undefined>,
): Promise<string | undefined> {
  let venv = known.get(modules);
  if (!venv) known.set(modules, venv = openVenv(modules, pins, base));
  return venv;
}

async function openVenv(
  modules: string,
  pins: readonly string[],
  base: () => Promise<string | undefined>,
): Promise<string | undefined> {
  const found = await base();
  if (!found) return undefined;
  const pythonIn = (folder: string) => `${folder}/bin/python`;
  const pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary=:all:", "--no-deps"];
  const folder = await cached(
    `venv-${await hashOf([found, ...pins])}`,
    (folder) => canRun(pythonIn(folder), ["-c", `import ${modules}`]),
    async (folder) =>
      (await run(found, ["-m", "venv", folder], { limitS: LIMIT_S })).code === 0 &&
      (await run(pythonIn(folder), [...pip, ...pins], { limitS: LIMIT_S })).code === 0,
  );
  return folder && pythonIn(folder);
}
