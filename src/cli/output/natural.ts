/** Orders texts by bytes, but runs of digits by their number: "a9" before "a10". */
export function naturalOrder(left: string, right: string): number {
  const pieces = (text: string): string[] => text.match(/[0-9]+|[^0-9]+/g) ?? [];
  const others = pieces(right);
  for (const [at, piece] of pieces(left).entries()) {
    const other = others[at];
    if (other === undefined) return 1;
    const numbers = /^[0-9]/.test(piece) && /^[0-9]/.test(other);
    const difference = numbers ? Number(piece) - Number(other) : piece < other ? -1 : piece > other ? 1 : 0;
    if (difference !== 0) return difference;
  }
  return pieces(left).length - others.length;
}
