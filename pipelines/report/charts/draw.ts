import { type PlotOptions, plot } from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { html, type Markup, trusted } from '../markup.ts';

const { document } = parseHTML('<!doctype html><html><body></body></html>');

/** Two decimals are a fiftieth of a pixel; all the rest is weight. */
const rounded = (svg: string): string =>
  svg.replace(/ (cx|cy|x|y|x1|x2|y1|y2|width|height|r|d|transform)="([^"]*)"/g, (_, name, value) => {
    const short = String(value).replace(/\d+\.\d{3,}/g, (number) =>
      String(Number(Number(number).toFixed(2))),
    );
    return ` ${name}="${short}"`;
  });

/** What a picture is called and what it shows, for people who do not see it. */
export interface Caption {
  id: string;
  title: string;
  description: string;
}

/**
 * Draws a chart without a browser. The SVG takes its colors from the page, scales with its box, and is the
 * same bytes for the same options: no generated ids, no clip paths, no style of its own.
 */
export const draw = (options: PlotOptions, { id, title, description }: Caption): Markup => {
  const figure = plot({ style: {}, ...options, className: 'plot', document });
  const svg = (figure.outerHTML as string)
    .replace(/<style>[\s\S]*?<\/style>/, '')
    .replace(/ font-family="[^"]*"/, '')
    .replace(/^<svg viewBox="([^"]*)" height="[^"]*" width="[^"]*"/, (_, box) => `<svg viewBox="${box}"`);
  const names = html`<title id="${id}-title">${title}</title><desc id="${id}-desc">${description}</desc>`;
  const role = `role="img" aria-labelledby="${id}-title ${id}-desc"`;
  return trusted(
    rounded(svg).replace(/^<svg ([^>]*)>/, (_, attributes) => `<svg ${role} ${attributes}>${names}`),
  );
};
