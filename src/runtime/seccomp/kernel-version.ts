/** Whether a release as uname(2) gives it ("6.1.0-13-amd64") is at least major.minor; one that is no version is taken for new. */
export function isKernelAtLeast(release: string, major: number, minor: number): boolean {
  const [, haveMajor, haveMinor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  if (haveMajor === undefined || haveMinor === undefined) return true;
  return Number(haveMajor) > major || (Number(haveMajor) === major && Number(haveMinor) >= minor);
}
