/** Whether a VP8 frame can be decoded by itself (RFC 6386 §9.1). */
export function isVp8Keyframe(frame: Uint8Array): boolean {
  return frame.length >= 10 && (frame[0]! & 1) === 0 && frame[3] === 0x9d && frame[4] === 0x01 && frame[5] === 0x2a;
}

/** The picture size in a VP8 keyframe; `undefined` for other frames. */
export function vp8Size(frame: Uint8Array): { width: number; height: number } | undefined {
  if (!isVp8Keyframe(frame)) return undefined;
  return { width: (frame[7]! & 63) << 8 | frame[6]!, height: (frame[9]! & 63) << 8 | frame[8]! };
}
