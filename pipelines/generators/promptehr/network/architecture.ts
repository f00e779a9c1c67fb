/** What a span of one kind can consist of: the outputs of its head, in the order of their logits. */
export interface Head {
  /** The reference names its matrix `lm_head.<name>.weight`. */
  name: string;
  /** Stream tokens: rows of the shared embedding. */
  tokens: number[];
}

/** The shape of a PromptEHR model: everything that decides the shapes of its weights. */
export interface PromptArchitecture {
  /** Width of a row (BART's d_model). */
  width: number;
  encoderLayers: number;
  decoderLayers: number;
  /** Divides `width`. */
  attentionHeads: number;
  /** Width inside a feed-forward block. */
  feed: number;
  /** Longest sequence of encoder or decoder, prompt rows included (BART's max_position_embeddings). */
  positions: number;
  /** Width of a prompt before W1 maps it to `width` (the paper's d0). */
  promptHidden: number;
  /** Stream tokens: rows of the shared embedding. */
  tokens: number;
  heads: Head[];
  /**
   * True: a head's rows are rows of the shared embedding. False: a matrix of its own, as in the reference.
   */
  tied: boolean;
  /** Heads add a number per output to their logits; the reference does not. Default: false. */
  biased?: boolean;
  /** Numerical features of a prompt. */
  numeric: number;
  /** Levels of each categorical feature of a prompt. */
  categories: number[];
  /**
   * So many of the last categorical features are added up into one row, as equation 1 has it. Default: none.
   */
  pooled?: number;
}

/** Rows that prompts put in front of every sequence: numerical features first, as in the reference. */
export const promptRows = ({
  numeric,
  categories,
  pooled = 0,
}: Pick<PromptArchitecture, 'numeric' | 'categories' | 'pooled'>): number =>
  numeric + categories.length - Math.max(0, pooled - 1);

/** Tokens that fit a sequence of encoder or decoder beside the prompt rows. */
export const longestSequence = (architecture: PromptArchitecture): number =>
  architecture.positions - promptRows(architecture);
