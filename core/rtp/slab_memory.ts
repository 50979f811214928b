import { slab } from "../runtime/mod.ts";

/** How many need a buffer. */
interface Holds {
  count: number;
}

const holdsOf = new WeakMap<ArrayBufferLike, Holds>();

/**
 * A buffer for incoming bytes, held by its maker. When the last one lets go, its memory is given back at once: fifty
 * cameras fill 200 buffers a second, and the garbage collector would leave them lying for seconds, and then look at the
 * whole heap to find them. Whoever keeps a part holds the buffer too, or shares it.
 */
export function heldSlab(sizeBytes: number): Uint8Array {
  const bytes = slab(sizeBytes);
  holdsOf.set(bytes.buffer, { count: 1 });
  return bytes;
}

/** Takes part in holding a buffer; of one that is no held slab it does nothing, as the functions below. */
export function holdSlab(buffer: ArrayBufferLike): void {
  const holds = holdsOf.get(buffer);
  if (holds) holds.count++;
}

/** Lets go. Views of a buffer that nobody holds any more are empty. */
export function releaseSlab(buffer: ArrayBufferLike): void {
  const holds = holdsOf.get(buffer);
  if (!holds || --holds.count > 0) return;
  holdsOf.delete(buffer);
  // Node 20 cannot.
  (buffer as Partial<ArrayBuffer>).transfer?.(0);
}

/** Leaves a buffer to the garbage collector: nobody knows who has views of it. */
export function shareSlab(buffer: ArrayBufferLike): void {
  holdsOf.delete(buffer);
}

/** The maker lets go. A buffer that nobody else holds is left to the garbage collector: there may be views of it. */
export function leaveSlab(buffer: ArrayBufferLike): void {
  if (holdsOf.get(buffer)?.count === 1) holdsOf.delete(buffer);
  else releaseSlab(buffer);
}
