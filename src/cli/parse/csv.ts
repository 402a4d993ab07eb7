import { refuse } from "../flags/flag.ts";

/** The fields of one line of RFC 4180 comma-separated values: a field in quotes may hold commas, and `""` for a quote. */
export function parseCsvLine(text: string): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    let field = "";
    if (text[at] === '"') {
      at += 1;
      for (;;) {
        const quote = text.indexOf('"', at);
        if (quote === -1) return refuse(`parse error: missing closing quote in '${text}'`);
        field += text.slice(at, quote);
        at = quote + 1;
        if (text[at] !== '"') break;
        field += '"';
        at += 1;
      }
      if (at < text.length && text[at] !== ",") return refuse(`parse error: text after a closing quote in '${text}'`);
    } else {
      const comma = text.indexOf(",", at);
      field = text.slice(at, comma === -1 ? text.length : comma);
      if (field.includes('"')) return refuse(`parse error: bare quote in '${text}'`);
      at += field.length;
    }
    fields.push(field);
    if (at >= text.length) return fields;
    at += 1;
  }
}
