import type { core } from "zod/mini";
import { nearest } from "./problem.ts";

const WORDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  object: "a map",
  record: "a map",
  null: "nothing",
};

/** What is wrong with a value, in words a person can act on; the value itself is not shown where it may be a password. */
export function describeIssue(issue: core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return `expected ${WORDS[issue.expected] ?? issue.expected}, got ${describeValue(value)}`;
    case "invalid_value": {
      const known = issue.values.map(String);
      const meant = typeof value === "string" ? nearest(value, known.filter((word) => word !== "")) : undefined;
      const list = known.map((word) => `"${word}"`).join(", ");
      return meant ? `expected one of ${list}, did you mean "${meant}"?` : `expected one of ${list}`;
    }
    case "invalid_union": {
      const wanted = issue.errors.flat().map((inner) => inner.code === "invalid_type" ? inner.expected : undefined);
      if (wanted.length === 0 || wanted.includes(undefined)) {
        return `expected something else than ${describeValue(value)}`;
      }
      return `expected ${[...new Set(wanted.map((type) => WORDS[type!] ?? type))].join(" or ")}, got ${
        describeValue(value)
      }`;
    }
    case "invalid_key":
      return issue.issues[0] ? describeIssue(issue.issues[0], issue.path.at(-1)) : issue.message;
    case "unrecognized_keys":
      return `unknown key ${issue.keys.map((key) => `"${key}"`).join(", ")}`;
    case "too_small":
      return `expected at least ${issue.minimum}${sizeWord(issue.origin)}`;
    case "too_big":
      return `expected at most ${issue.maximum}${sizeWord(issue.origin)}`;
    default:
      return issue.message;
  }
}

function sizeWord(origin: string): string {
  return origin === "string" ? " characters" : origin === "array" ? " items" : "";
}

function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  return typeof value === "string" ? "text" : String(value);
}
