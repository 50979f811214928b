/** Bytes and properties for the tests of parsers. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex } from "./text.ts";

/** The bytes of a hex text; throws when it is not hex. */
export function hex(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (!bytes) throw new TypeError(`Not hex: "${text}"`);
  return bytes;
}

/** The bytes of a text of 0 and 1, filled up with zeros; spaces are ignored. */
export function binary(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, "");
  const bytes = new Uint8Array(Math.ceil(digits.length / 8));
  for (let i = 0; i < digits.length; i++) if (digits[i] === "1") bytes[i >> 3]! |= 0x80 >> (i & 7);
  return bytes;
}

/** An unsigned Exp-Golomb number as a text of 0 and 1. */
export function ue(value: number): string {
  const code = (value + 1).toString(2);
  return "0".repeat(code.length - 1) + code;
}

/**
 * Checks that a parser takes any bytes: random ones, and each seed cut short and with bytes changed. It may throw a
 * `RangeError` and nothing else, and must not write into its input.
 */
export function survives(parse: (bytes: Uint8Array) => unknown, seeds: readonly Uint8Array[]): void {
  const tryOne = (bytes: Uint8Array) => {
    const before = bytes.slice();
    try {
      parse(bytes);
    } catch (error) {
      assert.ok(error instanceof RangeError, `${error}`);
    }
    assert.deepEqual(bytes, before, "the input was modified");
  };
  for (const seed of seeds) for (let length = 0; length <= seed.length; length++) tryOne(seed.slice(0, length));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), tryOne), { numRuns: 500 });
  for (const seed of seeds) {
    const change = fc.array(fc.tuple(fc.nat({ max: seed.length - 1 }), fc.nat({ max: 255 })), { maxLength: 8 });
    fc.assert(
      fc.property(change, (changes) => {
        const bytes = seed.slice();
        for (const [at, byte] of changes) bytes[at] = byte;
        tryOne(bytes);
      }),
      { numRuns: 300 },
    );
  }
}
