/**
 * Gives an array's memory back now instead of at some later garbage collection, which waits long where arrays
 * are few and large. The array is empty from then on.
 */
export const release = ({ buffer }: { readonly buffer: ArrayBufferLike }): void => {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
};
