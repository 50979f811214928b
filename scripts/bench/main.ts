/**
 * Measures the server as a process of its own, with cameras and viewers made here; prints what it found and whether that
 * is good enough, and appends it to a history. Exits with 1 when a bar was missed. `docs/bench.md` tells more.
 */
import { dirname } from "node:path";
import { judge, tableOf, type Verdict } from "./figure.ts";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { SCENARIOS } from "./scenarios.ts";
import { soak } from "./soak.ts";

const names = SCENARIOS.map(({ name }) => name);

function readOptions(): BenchOptions {
  try {
    return parseOptions(Deno.args, names);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}${names.join(" ")}`);
    Deno.exit(2);
  }
}

/** Runs what was asked for; answers verdicts by scenario. */
async function run(options: BenchOptions): Promise<Map<string, Verdict[]>> {
  const found = new Map<string, Verdict[]>();
  const report = (name: string, verdicts: Verdict[]) => {
    console.log(tableOf(verdicts) + "\n");
    found.set(name, verdicts);
  };
  if (options.soakMinutes !== undefined) {
    console.log(`soak: viewers come and go for ${options.soakMinutes} min`);
    report("soak", judge(await soak(options.command, options.soakMinutes)));
    return found;
  }
  for (const scenario of SCENARIOS) {
    if (options.scenarios.length > 0 && !options.scenarios.includes(scenario.name)) continue;
    console.log(`${scenario.name}: ${scenario.title(options)}`);
    try {
      const figures = await scenario.run(options);
      const peers = options.peer === undefined ? [] : await scenario.run({ ...options, command: options.peer });
      report(scenario.name, judge(figures, peers));
    } catch (error) {
      report(scenario.name, judge([{ what: `failed: ${(error as Error).message}`, value: NaN, unit: "", atMost: 0 }]));
    }
  }
  return found;
}

async function remember(path: string, { isQuick, command, peer }: BenchOptions, found: Map<string, Verdict[]>) {
  const line = {
    at: new Date().toISOString(),
    deno: Deno.version.deno,
    system: `${Deno.build.os} ${Deno.build.arch}, ${navigator.hardwareConcurrency} cores`,
    command,
    ...(peer === undefined ? {} : { peer }),
    isQuick,
    found: Object.fromEntries(
      [...found].map(([name, verdicts]) => [
        name,
        verdicts.map(({ what, value, unit, peer, bar, held }) => ({
          what,
          value,
          unit,
          ...(peer === undefined ? {} : { peer }),
          ...(bar === "" ? {} : { bar, held }),
        })),
      ]),
    ),
  };
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, JSON.stringify(line) + "\n", { append: true });
}

const options = readOptions();
const found = await run(options);
await remember(options.history, options, found);
const all = [...found.values()].flat();
const missed = all.filter(({ held }) => held === false).length;
console.log(`Bars held: ${all.filter(({ held }) => held === true).length}, missed: ${missed}`);
Deno.exit(missed === 0 ? 0 : 1);
