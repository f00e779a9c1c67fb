import { html } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import type { Section } from './section.ts';

/** The terms of the data. */
export const licence = (data: ReportData): Section => ({
  id: 'licence',
  title: 'Data license',
  short: 'License',
  body: html`<p>This page is derived from the source named in the first lineage step, and stays under that source's terms. The MIMIC-III demo is open under the Open Database License 1.0. Full MIMIC is under the PhysioNet Credentialed Health Data License: what is derived from it, including this page and the synthetic cohorts, must not be shared without PhysioNet's consent, nor given to online services that keep it or learn from it.</p>
<p>The page holds aggregates only. ${data.suppressBelow > 1 ? `Codes, pairs and labels that fewer than ${data.suppressBelow} real training patients have are not named on it.` : 'Small groups are not suppressed on it (suppressBelow is off): it may reveal single patients.'}</p>`,
});
