/** The program that a peer in another network runs: sends what each line of its input says, and prints what came. */
import { exchange } from "../support/raw.ts";

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
let text = "";
for await (const chunk of lines) {
  text += chunk;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
    const { address, data, pattern } = JSON.parse(text.slice(0, end)) as Record<string, string>;
    text = text.slice(end + 1);
    const bytes = Uint8Array.from(data!, (char) => char.charCodeAt(0));
    let answer: string;
    try {
      answer = (await exchange(address!, bytes, new RegExp(pattern!))).slice(0, 4000);
    } catch (error) {
      answer = String(error);
    }
    console.log(JSON.stringify(answer));
  }
}
