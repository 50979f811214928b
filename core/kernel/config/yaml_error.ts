import type { YAMLParseError, YAMLWarning } from "./yaml.ts";

/** What to do about the mistakes people make most; the parser's own words speak of grammar. */
const ADVICE: Readonly<Record<string, string>> = {
  BLOCK_AS_IMPLICIT_KEY:
    'a value that holds ": " or ends with ":" needs quotes, and keys of one map stand in one column',
  TAB_AS_INDENT: "indent with spaces, a tab is not allowed here",
  BAD_SCALAR_START: "a value that begins with @ or ` needs quotes",
};

/** What is wrong with a YAML text, in one line without its place. */
export function yamlMessage({ code, message }: YAMLParseError | YAMLWarning): string {
  return ADVICE[code] ?? message.split("\n")[0]!;
}
