/** Lower-case hex of bytes. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** The bytes of a hex text, spaces ignored; `undefined` when it is not hex. */
export function fromHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s+/g, "");
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) return undefined;
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(digits.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}

/** Base64 of bytes. */
export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** The bytes of a base64 text, with or without padding; `undefined` when it is not base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  const digits = text.trim().replace(/=+$/, "");
  if (digits.length % 4 === 1 || !/^[0-9a-z+/]*$/i.test(digits)) return undefined;
  return Uint8Array.from(atob(digits), (char) => char.charCodeAt(0));
}

/** The value of a key in SDP format parameters (`a=1;b=2`); keys in any case, spaces around them ignored. */
export function fmtpValue(fmtp: string, key: string): string | undefined {
  for (const part of fmtp.split(";")) {
    const cut = part.indexOf("=");
    if (cut > 0 && part.slice(0, cut).trim().toLowerCase() === key) return part.slice(cut + 1).trim();
  }
  return undefined;
}
