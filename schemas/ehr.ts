import { z } from 'zod';

/** Code systems of a visit. Prefixes keep apart the codes that two systems share (`dx:9955`, `px:9955`). */
export const modalities = ['dx', 'px', 'rx', 'lab'] as const;
export const modality = z.enum(modalities).describe('dx diagnoses, px procedures, rx drugs, lab tests done');
export type Modality = z.output<typeof modality>;

/**
 * What a token can say about a visit: a code of a modality, or into which bucket the days since the last one
 * fall.
 */
export const tokenKinds = [...modalities, 'gap'] as const;
export const tokenKind = z.enum(tokenKinds);
export type TokenKind = z.output<typeof tokenKind>;

/** Which part of the real data a patient belongs to; the number is what the columns hold. */
export const splits = ['train', 'validation', 'holdout'] as const;
export type Split = (typeof splits)[number];
