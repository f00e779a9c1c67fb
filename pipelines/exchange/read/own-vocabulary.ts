import { type TokenKind, tokenKinds } from '../../../schemas/ehr.ts';
import type { OutsideCode } from './outside-cohort.ts';

const rank = ({ modality }: OutsideCode): number => tokenKinds.indexOf(modality);
const lowest = ({ bucket }: OutsideCode): number => bucket?.low ?? Number.NEGATIVE_INFINITY;
const inOrder = (a: OutsideCode, b: OutsideCode): number => {
  if (a.modality !== b.modality) return rank(a) - rank(b);
  if (a.code !== b.code) return a.code < b.code ? -1 : 1;
  return lowest(a) - lowest(b) || 0;
};

const keyOf = ({ modality, code, bucket }: OutsideCode): string =>
  bucket ? `${modality}:${code}:${bucket.low}:${bucket.high}` : `${modality}:${code}`;

/** Numbers the codes of a cohort as they come; a code that comes again keeps its number. */
export class CodeNumbers {
  readonly #numbers = new Map<string, number>();
  readonly codes: OutsideCode[] = [];

  of(code: OutsideCode): number {
    const key = keyOf(code);
    const known = this.#numbers.get(key);
    if (known !== undefined) {
      const first = this.codes[known] as OutsideCode;
      if (first.title === undefined && code.title !== undefined)
        this.codes[known] = { ...first, title: code.title };
      return known;
    }
    this.#numbers.set(key, this.codes.length);
    this.codes.push(code);
    return this.codes.length - 1;
  }

  /**
   * The codes by modality and code, and the place there of each number. Independent of the order they came
   * in.
   */
  sorted(): { codes: OutsideCode[]; tokenOf: Int32Array } {
    const order = this.codes.map((_, i) => i);
    order.sort((a, b) => inOrder(this.codes[a] as OutsideCode, this.codes[b] as OutsideCode));
    const tokenOf = new Int32Array(order.length);
    order.forEach((number, token) => {
      tokenOf[number] = token;
    });
    return { codes: order.map((number) => this.codes[number] as OutsideCode), tokenOf };
  }
}

/** How many codes of each modality there are: `571 rx`. */
export const modalityCounts = (codes: readonly OutsideCode[]): Map<TokenKind, number> => {
  const counts = new Map<TokenKind, number>();
  for (const { modality } of codes) counts.set(modality, (counts.get(modality) ?? 0) + 1);
  return counts;
};
