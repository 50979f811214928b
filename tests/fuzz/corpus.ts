/** The inputs that the fuzz tests begin with, and what becomes of them. */
import fc from "fast-check";

const folder = new URL("./corpus/", import.meta.url);

/** The inputs of one protocol: hand-made ones, and those that have once broken something. */
export function corpus(protocol: string): readonly Uint8Array[] {
  const names = [...Deno.readDirSync(new URL(`${protocol}/`, folder))].map(({ name }) => name).sort();
  return names.map((name) => Deno.readFileSync(new URL(`${protocol}/${name}`, folder)));
}

/** One of the inputs, cut, with bytes changed, put in and said again. */
export function mutated(inputs: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const change = fc.record({
    at: fc.nat(),
    byte: fc.nat(255),
    does: fc.constantFrom("set", "insert", "remove", "repeat"),
  });
  const edits = fc.record({ cut: fc.option(fc.nat(), { freq: 3 }), changes: fc.array(change, { maxLength: 6 }) });
  return fc.tuple(fc.constantFrom(...inputs), edits).map(([input, { cut, changes }]) => {
    const bytes = [...input];
    for (const { at, byte, does } of changes) {
      const i = at % (bytes.length + 1);
      if (does === "set") bytes[i] = byte;
      else if (does === "insert") bytes.splice(i, 0, byte);
      else if (does === "remove") bytes.splice(i, 1 + byte % 8);
      else bytes.splice(i, 0, ...bytes.slice(i, i + byte));
    }
    return Uint8Array.from(cut === null ? bytes : bytes.slice(0, cut % (bytes.length + 1)));
  });
}

/** One of the inputs as it is, one that became of them, or any bytes. */
export function hostile(inputs: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  return fc.oneof(fc.constantFrom(...inputs), mutated(inputs), fc.uint8Array({ maxLength: 300 }));
}
