/** A new name: Docker shows names with a slash in front of them, and takes them so. Whether it is one is for the engine to say. */
export function parseContainerName(text: string): string {
  return text.startsWith("/") ? text.slice(1) : text;
}
