/** What hooks inherit whose config names no environment, as with runc and crun. */
export function ownEnvironment(): string[] {
  return Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ""}`);
}
