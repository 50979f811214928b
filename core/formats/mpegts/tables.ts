/** A section is at most this long (ISO/IEC 13818-1 §2.4.4). */
const MAX_SECTION_BYTES = 1024;

/** One elementary stream of a program map table. */
export interface ProgramEntry {
  readonly pid: number;
  readonly streamType: number;
  /** Four characters of a registration descriptor; empty when there is none. */
  readonly registration: string;
}

/** Puts the sections of one PID together. */
export class SectionAssembler {
  readonly #section = new Uint8Array(MAX_SECTION_BYTES);
  #length = 0;
  #isActive = false;

  /** Takes the payload of a packet; the section that it completes is valid until the next call. */
  push(payload: Uint8Array, isStart: boolean): Uint8Array | undefined {
    let from = 0;
    if (isStart) {
      const pointer = payload[0] ?? 0;
      if (this.#isActive && pointer > 0) {
        const ended = this.#append(payload.subarray(1, 1 + pointer));
        if (ended) return ended;
      }
      from = 1 + pointer;
      this.#length = 0;
      this.#isActive = true;
    }
    return this.#isActive ? this.#append(payload.subarray(from)) : undefined;
  }

  #append(bytes: Uint8Array): Uint8Array | undefined {
    const taken = bytes.subarray(0, MAX_SECTION_BYTES - this.#length);
    this.#section.set(taken, this.#length);
    this.#length += taken.length;
    if (this.#length < 3) return undefined;
    const total = 3 + ((this.#section[1]! & 15) << 8 | this.#section[2]!);
    if (total > MAX_SECTION_BYTES) this.#isActive = false;
    if (total > this.#length) return undefined;
    this.#isActive = false;
    return this.#section.subarray(0, total);
  }
}

/** The PID of the first program's map table; `undefined` when the section is no program association table. */
export function readPat(section: Uint8Array): number | undefined {
  if (section[0] !== 0) return undefined;
  // The last four bytes are the checksum.
  for (let at = 8; at + 8 <= section.length; at += 4) {
    const program = section[at]! << 8 | section[at + 1]!;
    if (program !== 0) return (section[at + 2]! & 31) << 8 | section[at + 3]!;
  }
  return undefined;
}

/** The streams of a program map table; `undefined` when the section is none. */
export function readPmt(section: Uint8Array): ProgramEntry[] | undefined {
  if (section[0] !== 2 || section.length < 16) return undefined;
  const entries: ProgramEntry[] = [];
  const end = section.length - 4;
  let at = 12 + ((section[10]! & 15) << 8 | section[11]!);
  while (at + 5 <= end) {
    const streamType = section[at]!;
    const pid = (section[at + 1]! & 31) << 8 | section[at + 2]!;
    const next = at + 5 + ((section[at + 3]! & 15) << 8 | section[at + 4]!);
    if (next > end) break;
    entries.push({ pid, streamType, registration: registrationOf(section.subarray(at + 5, next)) });
    at = next;
  }
  return entries;
}

function registrationOf(descriptors: Uint8Array): string {
  let at = 0;
  while (at + 2 <= descriptors.length) {
    const size = descriptors[at + 1]!;
    if (descriptors[at] === 5 && size >= 4 && at + 6 <= descriptors.length) {
      return String.fromCharCode(...descriptors.subarray(at + 2, at + 6));
    }
    at += 2 + size;
  }
  return "";
}
