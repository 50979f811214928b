const AUDIO = /^(mp4a|flac|opus)/;

/** What is asked for, as far as the browser plays it. */
export const CODECS = [
  "avc1.640029",
  "avc1.64002A",
  "avc1.640033",
  "hvc1.1.6.L153.B0",
  "mp4a.40.2",
  "mp4a.40.5",
  "flac",
  "opus",
];

/** Those of the codecs that fit `media` and pass `isSupported`, as the server takes them. */
export function chooseCodecs(codecs, media, isSupported) {
  return codecs.filter((codec) =>
    media.includes(AUDIO.test(codec) ? "audio" : "video") && isSupported(`video/mp4; codecs="${codec}"`)
  ).join();
}

/** The list without what this browser only claims to play: sound, in old versions of Safari and in all of them Opus. */
export function withoutFalseClaims(codecs) {
  const version = Number(navigator.userAgent.match(/Version\/(\d+).+Safari/)?.[1]);
  if (!version) return codecs;
  const at = codecs.indexOf(version < 13 ? "mp4a.40.2" : version < 14 ? "flac" : "opus");
  return at < 0 ? codecs : codecs.slice(0, at);
}
