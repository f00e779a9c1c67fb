/** A share as a percentage with about two significant digits: `43 %`, `4.3 %`, `0.43 %`. */
export const percent = (share: number): string => {
  const value = share * 100;
  const digits = value === 0 || value >= 10 ? 0 : value >= 1 ? 1 : value >= 0.1 ? 2 : 3;
  return `${value.toFixed(digits)}%`;
};

/** Three decimals below a hundred, fewer above; a true minus sign. */
export const decimal = (value: number): string =>
  value
    .toFixed(Math.abs(value) < 100 ? 3 : 1)
    .replace('-', '−')
    .replace(/^−(0\.0+)$/, '$1');

/** `46,520`. */
export const integer = (value: number): string => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');

/** `1 patient`, `2 patients`. */
export const counted = (n: number, one: string, many = `${one}s`): string =>
  `${integer(n)} ${n === 1 ? one : many}`;

/** First letter large, a full stop at the end; nothing stays nothing. */
export const sentence = (text: string): string =>
  text === '' ? '' : `${text[0]?.toUpperCase()}${text.slice(1)}.`;

/** `a`, `a and b`, `a, b and c`. */
export const listed = (items: readonly string[]): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
