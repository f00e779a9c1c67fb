import { html } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { brokenPairs } from './broken-pairs.ts';
import { frequencies } from './frequencies.ts';
import { labels } from './labels.ts';
import { lengths } from './lengths.ts';
import { perplexities } from './perplexities.ts';
import type { Section } from './section.ts';
import { values } from './values.ts';

/** What synthetic records have in common with real ones, as figures; null where it was not measured. */
export const similarity = (data: ReportData): Section | null => {
  const parts = [
    frequencies(data),
    brokenPairs(data),
    lengths(data),
    labels(data),
    values(data),
    perplexities(data),
  ];
  if (parts.every((part) => part === false)) return null;
  return { id: 'similarity', title: 'Similarity', short: 'Similarity', body: html`${parts}` };
};
