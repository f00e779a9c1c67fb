/** What the tests use of `parquetjs-lite`, which comes without types. */
declare module 'parquetjs-lite' {
  interface ParquetCursor {
    /**
     * The next row, null after the last. Columns without a value are absent, lists are `{ list: [{ element }]
     * }`.
     */
    next(): Promise<Record<string, unknown> | null>;
  }
  interface ParquetReader {
    /** Rows with all columns, or with those whose path down to the leaf is given. */
    getCursor(columns?: readonly (readonly string[])[]): ParquetCursor;
    /** Keys and values of the file's footer. */
    getMetadata(): Record<string, string>;
    close(): Promise<void>;
  }
  const parquet: { ParquetReader: { openFile(path: string): Promise<ParquetReader> } };
  export default parquet;
}
