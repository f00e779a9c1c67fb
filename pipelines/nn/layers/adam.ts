import type { AdamRates } from '../ops/ops.ts';

/**
 * Rates of Adam's update number `step` (from 1; Kingma and Ba, Adam, ICLR 2015, algorithm 1), rewritten for
 * uncorrected moments: α·m̂/(√v̂+ε) = α√(1-β₂ᵗ)/(1-β₁ᵗ) · m/(√v + ε√(1-β₂ᵗ)). ε as PyTorch places it.
 */
export const adamRates = (step: number, learningRate: number): AdamRates => {
  const beta1 = 0.9;
  const beta2 = 0.999;
  const correction = Math.sqrt(1 - beta2 ** step);
  return {
    beta1,
    beta2,
    rate: (learningRate * correction) / (1 - beta1 ** step),
    epsilon: 1e-8 * correction,
  };
};
