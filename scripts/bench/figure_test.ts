import assert from "node:assert/strict";
import { judge, tableOf } from "./figure.ts";

Deno.test("judge holds a figure against its own bar, and against a peer's figure where there is one", () => {
  const figures = [
    { what: "cost", value: 0.4, unit: "ms", atMost: 0.5, besidePeer: 0.5 },
    { what: "rate", value: 24, unit: "fps", atLeast: 24.5 },
    { what: "memory", value: 100, unit: "MB" },
  ];
  assert.deepEqual(judge(figures).map(({ held }) => held), [true, false, undefined]);
  const beside = judge(figures, [{ what: "cost", value: 0.7, unit: "ms" }]);
  assert.deepEqual(beside.map(({ held }) => held), [false, false, undefined]);
  assert.equal(beside[0]!.bar, "≤ 0.35");
});

Deno.test("judge holds a figure that could not be measured against nothing but its bar, and misses it", () => {
  assert.equal(judge([{ what: "lag", value: NaN, unit: "ms", atMost: 20 }])[0]!.held, false);
  const [verdict] = judge([{ what: "cost", value: 1, unit: "ms", atMost: 2, besidePeer: 1 }], [
    { what: "cost", value: NaN, unit: "ms" },
  ]);
  assert.equal(verdict!.held, true);
});

Deno.test("tableOf says what held", () => {
  const table = tableOf(judge([{ what: "rate", value: 24, unit: "fps", atLeast: 24.5 }]));
  assert.match(table, /rate +24 fps +≥ 24\.5 +MISSED/);
});
