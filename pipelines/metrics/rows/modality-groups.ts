import { type Modality, modalities, type TokenKind } from '../../../schemas/ehr.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import type { KeyGroup } from './grouped-agreement.ts';

/** One code of a modality, and several. */
export const modalityWords: Record<Modality, { one: string; many: string }> = {
  dx: { one: 'diagnosis', many: 'diagnoses' },
  px: { one: 'procedure', many: 'procedures' },
  rx: { one: 'drug', many: 'drugs' },
  lab: { one: 'lab test', many: 'lab tests' },
};

/** The sentence for modalities that no code of the vocabulary has; undefined where all are there. */
export const absentSentence = ({ codes }: Vocabulary, wanted: readonly Modality[]): string | undefined => {
  const missing = wanted.filter((modality) => !codes.some((code) => code.modality === modality));
  if (missing.length === 0) return undefined;
  return `The vocabulary has no ${missing.map((modality) => modalityWords[modality].many).join(' and no ')}.`;
};

const group = (
  vocabulary: Vocabulary,
  wanted: readonly Modality[],
  rest: Pick<KeyGroup, 'row' | 'what' | 'keep'>,
): KeyGroup => ({ ...rest, absent: absentSentence(vocabulary, wanted) });

const modalityOf = ({ codes }: Vocabulary, token: number): TokenKind | undefined => codes[token]?.modality;

/** One group per modality: codes of it. */
export const codeGroups = (vocabulary: Vocabulary): KeyGroup[] =>
  modalities.map((modality) =>
    group(vocabulary, [modality], {
      row: modality,
      what: modalityWords[modality].one,
      keep: ({ first }, key) => modalityOf(vocabulary, first[key] as number) === modality,
    }),
  );

/** One group per modality: pairs whose codes are both of it. */
export const pairGroups = (vocabulary: Vocabulary): KeyGroup[] =>
  modalities.map((modality) =>
    group(vocabulary, [modality], {
      row: modality,
      what: `${modalityWords[modality].one} pair`,
      keep: ({ first, second }, key) =>
        modalityOf(vocabulary, first[key] as number) === modality &&
        modalityOf(vocabulary, second[key] as number) === modality,
    }),
  );

/** All pairs of codes of two modalities, then each two modalities alone. */
export const crossGroups = (vocabulary: Vocabulary): KeyGroup[] => {
  const modalitiesOf = ({ first, second }: { first: Int32Array; second: Int32Array }, key: number) => [
    modalityOf(vocabulary, first[key] as number),
    modalityOf(vocabulary, second[key] as number),
  ];
  const present = modalities.filter((modality) => absentSentence(vocabulary, [modality]) === undefined);
  const all: KeyGroup = {
    row: 'all',
    what: 'cross-modality pair',
    keep: (counts, key) => {
      const [a, b] = modalitiesOf(counts, key);
      return a !== b;
    },
    absent: present.length < 2 ? 'The vocabulary has codes of one modality only.' : undefined,
  };
  const each = modalities.flatMap((a, i) =>
    modalities.slice(i + 1).map((b) =>
      group(vocabulary, [a, b], {
        row: `${a}-${b}`,
        what: `${modalityWords[a].one} and ${modalityWords[b].one} pair`,
        keep: (counts, key) => {
          const found = modalitiesOf(counts, key);
          return found.includes(a) && found.includes(b);
        },
      }),
    ),
  );
  return [all, ...each];
};
