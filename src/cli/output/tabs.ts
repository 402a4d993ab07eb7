/**
 * Aligns tab-terminated cells in columns, as Go's text/tabwriter does with Docker's settings: cells at least 10 wide, three
 * blanks between columns, a column only as long as the run of lines that have it, the last cell of a line as it is.
 */
export function alignTabs(text: string, minimumWidth = 10, padding = 3): string {
  const lines = text.split("\n").map((line) => line.split("\t"));
  const widths: number[][] = lines.map(() => []);
  const columns = Math.max(...lines.map((cells) => cells.length - 1));
  for (let column = 0; column < columns; column += 1) {
    for (let first = 0; first < lines.length; first += 1) {
      if (!hasCell(lines[first], column)) continue;
      let last = first;
      while (hasCell(lines[last + 1], column)) last += 1;
      let width = minimumWidth;
      for (let line = first; line <= last; line += 1) width = Math.max(width, displayWidth(lines[line]?.[column] ?? "") + padding);
      for (let line = first; line <= last; line += 1) widths[line]?.push(width);
      first = last;
    }
  }
  return lines
    .map((cells, line) =>
      cells.map((cell, column) => (column === cells.length - 1 ? cell : cell + " ".repeat((widths[line]?.[column] ?? 0) - displayWidth(cell)))).join(""))
    .join("\n");
}

/** True where the line ends the cell of this column with a tab. */
function hasCell(cells: readonly string[] | undefined, column: number): boolean {
  return cells !== undefined && cells.length - 1 > column;
}

/** In code points: what Go's tabwriter counts. */
function displayWidth(text: string): number {
  let width = 0;
  for (const _ of text) width += 1;
  return width;
}

/** At most `width` columns, the last one an ellipsis where something was cut off; wide East Asian characters count two. */
export function ellipsis(text: string, width: number): string {
  if (width <= 0) return "";
  const characters = Array.from(text);
  const widthOf = (character: string): number =>
    (/[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(character) ? 2 : 1);
  if (characters.length <= 1) return text;
  let total = 0;
  let cut = 0;
  for (const [index, character] of characters.entries()) {
    total += widthOf(character);
    if (total <= width - 1) cut = index + 1;
  }
  return total <= width ? text : `${characters.slice(0, cut).join("")}…`;
}
