/** HTML that is known to be safe. Only `html` makes it. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

type Part = string | number | Markup | false | undefined | readonly Part[];

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for HTML, inside elements and quoted attributes alike. */
const escapeText = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => escapes[character] ?? '');

const written = (part: Part): string => {
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map(written).join('');
  return part === false || part === undefined ? '' : escapeText(String(part));
};

/** Template tag: whatever is put in is escaped, unless it is Markup; lists are joined, false is nothing. */
export const html = (strings: TemplateStringsArray, ...parts: Part[]): Markup =>
  new Markup(strings.reduce((text, string, i) => text + written(parts[i - 1]) + string));

/** Takes text as it is: for stylesheets, scripts and drawn SVG only, never for what came from data. */
export const trusted = (text: string): Markup => new Markup(text);

/** JSON for a `<script type="application/json">`: no text in it can end the element. */
export const inlineJson = (value: unknown): Markup =>
  new Markup(JSON.stringify(value).replaceAll('<', '\\u003c'));
