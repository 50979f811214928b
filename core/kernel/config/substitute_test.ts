import assert from "node:assert/strict";
import { hideVariables, substitute, variableNames } from "./substitute.ts";

const known: Readonly<Record<string, string>> = { NAME: "value", EMPTY: "", "a b": "spaced", ":x": "colon" };
const lookup = (name: string) => (Object.hasOwn(known, name) ? known[name] : undefined);

for (
  const [source, wanted] of [
    ["${NAME}", "value"],
    ["x${NAME}y${NAME}", "xvalueyvalue"],
    ["${NAME:default}", "value"],
    ["${GONE:default}", "default"],
    ["${GONE:}", ""],
    ["${GONE:a:b}", "a:b"],
    ["${GONE}", "${GONE}"],
    ["${EMPTY}", ""],
    ["${EMPTY:x}", ""],
    ["${a b}", "spaced"],
    ["${:x}", "colon"],
    ["${:y}", "${:y}"],
    ["${}", "${}"],
    ["$NAME ${ {NAME}", "$NAME ${ {NAME}"],
    ["${a{NAME}", "${a{NAME}"],
    ["$${NAME}", "$value"],
  ] as const
) {
  Deno.test(`substitute() makes ${JSON.stringify(wanted)} of ${JSON.stringify(source)}`, () => {
    assert.equal(substitute(source, lookup).text, wanted);
  });
}

Deno.test("substitute() knows where everything came from", () => {
  const source = "a ${NAME} b ${GONE:x} c";
  const { text, sourceOffset } = substitute(source, lookup);
  assert.equal(text, "a value b x c");
  for (const char of ["a", " b", " c"]) assert.equal(sourceOffset(text.indexOf(char)), source.indexOf(char));
  assert.equal(sourceOffset(text.indexOf("lue")), source.indexOf("${NAME"));
  assert.equal(sourceOffset(text.length), source.length);
});

Deno.test("variableNames() lists each name once", () => {
  assert.deepEqual(variableNames("${A} ${B:x} ${A:y} ${}"), ["A", "B"]);
});

Deno.test("hideVariables() keeps every offset", () => {
  const hidden = hideVariables("a: ${X:{y}\nb: ${A\nB}c");
  assert.equal(hidden.length, "a: ${X:{y}\nb: ${A\nB}c".length);
  assert.ok(!hidden.includes("${A") && hidden.includes("\n") && hidden.endsWith("c"));
});
