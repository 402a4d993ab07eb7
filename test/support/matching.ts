/** bun:test's matchers as what they stand for: they are typed `any`, which would spread to everything that holds one. */
import { expect } from "bun:test";

/** Any string with this in it. */
export function containing(text: string): string {
  return expect.stringContaining(text) as string; // equal to such strings, in the eyes of toEqual
}

/** Any string that the pattern matches. */
export function matching(pattern: RegExp): string {
  return expect.stringMatching(pattern) as string; // likewise
}

/** Any list with these in it. */
export function having(items: readonly string[]): string[] {
  return expect.arrayContaining([...items]) as string[]; // likewise
}
