/**
 * A forest of pairwise tables over discrete facts (Chow and Liu: Approximating discrete probability
 * distributions with dependence trees; IEEE Trans. Inf. Theory 14, 1968): the edges of the most information,
 * as far as it is more than what Schwarz's criterion charges for their numbers. No count of fewer than
 * `smallestGroup` patients is stored.
 */
import { smallestGroup } from '../../../generation/fact-columns.ts';

/** One fact in levels 0 … levels - 1, per patient. */
export interface CodedFact {
  levels: number;
  of: Int32Array;
}

/**
 * A fact's place in the forest: `facts[fact]` depends on the entry `parent` of the same list, which stands
 * earlier.
 */
export interface ForestNode {
  fact: number;
  parent: number;
  /** `[levels of the parent, levels]`, one row where there is no parent; rows add up to one. */
  shares: number[];
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);

/** Counts of 1 … smallestGroup - 1 look alike. */
const blurred = (count: number): number => (count > 0 && count < smallestGroup ? smallestGroup / 2 : count);

/**
 * Shares of a row of counts: the small cells as `small` says, the others share what is left as their counts
 * do.
 */
const blurredShares = (
  counts: readonly number[],
  small: (count: number, level: number) => number,
): number[] => {
  const patients = sumOf(counts);
  const shares = counts.map((count, level) => (count < smallestGroup ? small(count, level) / patients : 0));
  const large = sumOf(counts.filter((count) => count >= smallestGroup));
  const left = Math.max(0, 1 - sumOf(shares));
  const filled = shares.map((share, level) =>
    (counts[level] as number) < smallestGroup ? share : (left * (counts[level] as number)) / large,
  );
  const total = sumOf(filled);
  return filled.map((share) => (total > 0 ? share / total : 1 / counts.length));
};

/** Share of patients at each level. */
const marginal = ({ levels, of }: CodedFact): number[] => {
  const counts = new Array<number>(levels).fill(0);
  for (const level of of) counts[level] = (counts[level] as number) + 1;
  return blurredShares(counts, blurred);
};

/**
 * Shares of `child` at each level of `parent`. Cells of fewer than `smallestGroup` patients are pooled: what
 * a row has left over is spread over them as the child's own shares are. A small rest is as many as
 * independence would give where that is small too; where many are expected, none stays none and few are
 * blurred.
 */
export const pooledShares = (parent: CodedFact, child: CodedFact): number[] => {
  const counts = new Array<number>(parent.levels * child.levels).fill(0);
  child.of.forEach((level, patient) => {
    const cell = (parent.of[patient] as number) * child.levels + level;
    counts[cell] = (counts[cell] as number) + 1;
  });
  const own = marginal(child);
  return Array.from({ length: parent.levels }, (_, row) => {
    const cells = counts.slice(row * child.levels, (row + 1) * child.levels);
    const patients = sumOf(cells);
    if (patients < smallestGroup) return own;
    const rest = sumOf(cells.filter((count) => count < smallestGroup));
    const ownRest = sumOf(own.filter((_, level) => (cells[level] as number) < smallestGroup));
    const expected = ownRest * patients;
    const left = rest >= smallestGroup || expected >= smallestGroup ? blurred(rest) : expected;
    return blurredShares(cells, (_, level) => (ownRest > 0 ? (left * (own[level] as number)) / ownRest : 0));
  }).flat();
};

/** Mutual information of the stored table, less what its numbers cost. Nats per patient. */
const worth = (parent: CodedFact, child: CodedFact): number => {
  const patients = child.of.length;
  const above = marginal(parent);
  const table = pooledShares(parent, child);
  const joint = table.map((share, cell) => share * (above[Math.floor(cell / child.levels)] as number));
  const below = Array.from({ length: child.levels }, (_, level) =>
    joint.reduce((sum, share, cell) => (cell % child.levels === level ? sum + share : sum), 0),
  );
  const information = joint.reduce(
    (sum, share, cell) =>
      share > 0
        ? sum + share * Math.log((table[cell] as number) / (below[cell % child.levels] as number))
        : sum,
    0,
  );
  const used = (shares: readonly number[]) => shares.filter((share) => share > 0).length;
  const numbers = (used(above) - 1) * (used(below) - 1);
  return information - (numbers * Math.log(patients)) / (2 * patients);
};

/** Neighbors of each fact in the forest of greatest worth (Kruskal). */
const neighborsIn = (facts: readonly CodedFact[]): number[][] => {
  const edges = facts.flatMap((a, i) =>
    facts.slice(i + 1).map((b, j) => ({ from: i, to: i + 1 + j, worth: worth(a, b) })),
  );
  const tree = facts.map((_, i) => i);
  const neighbors: number[][] = facts.map(() => []);
  for (const { from, to, worth } of edges.toSorted((a, b) => b.worth - a.worth)) {
    const [one, other] = [tree[from] as number, tree[to] as number];
    if (worth <= 0 || one === other) continue;
    tree.forEach((of, i) => {
      if (of === other) tree[i] = one;
    });
    neighbors[from]?.push(to);
    neighbors[to]?.push(from);
  }
  return neighbors;
};

/** The forest over these facts, parents before children. */
export const dependenceForest = (facts: readonly CodedFact[]): ForestNode[] => {
  const neighbors = neighborsIn(facts);
  const nodes: ForestNode[] = [];
  const placed = new Set<number>();
  const place = (fact: number, parent: number): void => {
    const child = facts[fact] as CodedFact;
    const above = facts[nodes[parent]?.fact ?? -1];
    const index =
      nodes.push({ fact, parent, shares: above ? pooledShares(above, child) : marginal(child) }) - 1;
    placed.add(fact);
    for (const next of neighbors[fact]?.toSorted((a, b) => a - b) ?? [])
      if (!placed.has(next)) place(next, index);
  };
  facts.forEach((_, fact) => {
    if (!placed.has(fact)) place(fact, -1);
  });
  return nodes;
};
