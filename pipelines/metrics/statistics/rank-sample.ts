/**
 * At most `limit` of the ranks 0 … n − 1, evenly spread over the logarithm of the rank, so that the
 * frequent head is kept whole and every decade of the tail is seen. No draw: the same n gives the same ranks.
 */
export const rankSample = (n: number, limit: number): number[] => {
  if (n <= limit) return Array.from({ length: n }, (_, rank) => rank);
  const ranks = new Set<number>();
  // Low ranks repeat when rounded; each one used lifts the floor, so that exactly `limit` come out.
  for (let i = 0; i < limit; i++) {
    const spread = Math.floor(n ** (i / (limit - 1))) - 1;
    ranks.add(Math.min(n - 1, Math.max(i, spread)));
  }
  return [...ranks];
};
