/**
 * Text in the pieces of BART's tokenizer: byte-level byte-pair encoding, GPT-2's (Radford et al. 2019; merges as in
 * Sennrich, Haddow, Birch 2016). The same pieces as Hugging Face's tokenizers give.
 */

/** A tokenizer: rows of the embedding by piece, and pairs in the order in which they are merged. */
export interface BytePairs {
  rows: Readonly<Record<string, number>>;
  merges: readonly (readonly [string, string])[];
}

/** Letters that stand for bytes: a byte that prints is itself, the others follow from U+0100 on. */
const letters: readonly string[] = (() => {
  const prints = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(prints(byte) ? byte : next++));
})();

const words = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

const pairName = (left: string, right: string): string => `${left} ${right}`;

/** Merges the pair that comes first among the merges until there is none. */
const merged = (symbols: string[], rankOf: ReadonlyMap<string, number>): string[] => {
  for (;;) {
    let best = Number.POSITIVE_INFINITY;
    let at = -1;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const rank = rankOf.get(pairName(symbols[i] as string, symbols[i + 1] as string));
      if (rank !== undefined && rank < best) [best, at] = [rank, i];
    }
    if (at < 0) return symbols;
    symbols.splice(at, 2, `${symbols[at]}${symbols[at + 1]}`);
  }
};

/** Gives the pieces of texts, as rows of the embedding; a piece that the tokenizer has no row for is left out. */
export const bytePairEncoder = ({ rows, merges }: BytePairs): ((text: string) => number[]) => {
  const rankOf = new Map(merges.map(([left, right], rank) => [pairName(left, right), rank]));
  return (text) =>
    (text.match(words) ?? []).flatMap((word) => {
      const symbols = Array.from(new TextEncoder().encode(word), (byte) => letters[byte] as string);
      return merged(symbols, rankOf).flatMap((piece) =>
        Object.hasOwn(rows, piece) ? [rows[piece] as number] : [],
      );
    });
};
