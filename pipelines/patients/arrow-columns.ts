import {
  type Data,
  type DataType,
  Dictionary,
  Field,
  FixedSizeList,
  Float32,
  Int32,
  List,
  makeData,
  makeVector,
  RecordBatch,
  RecordBatchFileWriter,
  Schema,
  Struct,
  type Table,
  tableFromIPC,
  Uint8,
  Utf8,
} from 'apache-arrow';
import type { Demographic } from './visit-columns.ts';

/** A column of whole numbers; its bytes go into the file as they are. */
export const int32Column = (values: Int32Array): Data<Int32> =>
  makeData({ type: new Int32(), length: values.length, nullCount: 0, data: values });

/** A column of small numbers or flags, one byte each. */
export const uint8Column = (values: Uint8Array): Data<Uint8> =>
  makeData({ type: new Uint8(), length: values.length, nullCount: 0, data: values });

/** A column of measurements. NaN stands for unknown, so that a reader needs no validity bitmap. */
export const float32Column = (values: Float32Array): Data<Float32> =>
  makeData({ type: new Float32(), length: values.length, nullCount: 0, data: values });

/**
 * Ragged rows over `child`; `offsets` has one more entry than there are rows. They are copied: the writer of
 * Arrow takes two buffers in a row that are views of the same memory for one, as those of two lists with the
 * same offsets and nothing in them are, and the file then lacks one.
 */
export const listColumn = <T extends DataType>(child: Data<T>, offsets: Int32Array): Data<List<T>> =>
  makeData({
    type: new List(new Field('item', child.type, false)),
    length: offsets.length - 1,
    nullCount: 0,
    valueOffsets: offsets.slice(),
    child,
  });

/** Rows of exactly `width` values of `child`. */
export const fixedListColumn = <T extends DataType>(child: Data<T>, width: number): Data<FixedSizeList<T>> =>
  makeData({
    type: new FixedSizeList(width, new Field('item', child.type, false)),
    length: child.length / width,
    nullCount: 0,
    child,
  });

/** Several columns of one length side by side. */
export const structColumn = (columns: Record<string, Data>, length: number): Data<Struct> =>
  makeData({
    type: new Struct(fieldsOf(columns)),
    length,
    nullCount: 0,
    children: Object.values(columns),
  });

const textColumn = (texts: readonly string[]): Data<Utf8> => {
  const encoded = texts.map((text) => Buffer.from(text, 'utf8'));
  const offsets = new Int32Array(texts.length + 1);
  encoded.forEach((bytes, i) => {
    offsets[i + 1] = (offsets[i] as number) + bytes.length;
  });
  const data = new Uint8Array(Buffer.concat(encoded));
  return makeData({ type: new Utf8(), length: texts.length, nullCount: 0, valueOffsets: offsets, data });
};

// Level -1 is unknown: null in the file, still -1 in the bytes, so that a reader gets it back without looking
// at the bitmap. Arrow numbers dictionaries by a counter of the process; a fixed id keeps the bytes the same.
const categoryColumn = (levels: readonly string[], values: Int32Array, id: number): Data<Dictionary> => {
  const bitmap = new Uint8Array(Math.ceil(values.length / 8));
  let nullCount = 0;
  values.forEach((level, row) => {
    if (level < 0) nullCount++;
    else bitmap[row >> 3] = (bitmap[row >> 3] as number) | (1 << (row & 7));
  });
  const type = new Dictionary(new Utf8(), new Int32(), id);
  const dictionary = makeVector(textColumn(levels));
  return makeData({ type, length: values.length, nullCount, nullBitmap: bitmap, data: values, dictionary });
};

const fieldsOf = (columns: Record<string, Data>): Field[] =>
  Object.entries(columns).map(([name, { type }]) => new Field(name, type, type instanceof Dictionary));

/** An Arrow IPC file of one record batch: columns of up to 2^31 - 1 entries. Equal columns, equal bytes. */
export const encodeColumns = (columns: Record<string, Data>, rows: number): Uint8Array => {
  const table = structColumn(columns, rows);
  const schema = new Schema(table.type.children);
  const writer = new RecordBatchFileWriter();
  writer.write(new RecordBatch(schema, table));
  return writer.finish().toUint8Array(true);
};

const tableFrom = (bytes: Uint8Array): Table => {
  try {
    return tableFromIPC(bytes);
  } catch (cause) {
    throw new RangeError('not a whole Arrow IPC file', { cause });
  }
};

/**
 * The columns of such a file by name, as views on `bytes`: nothing is copied unless `bytes` starts off an
 * 8-byte boundary. Buffers may be padded: cut them to the column's length. Throws RangeError on a file of
 * another shape.
 */
export const decodeColumns = (bytes: Uint8Array): { rows: number; columns: Record<string, Data> } => {
  const table = tableFrom(bytes.byteOffset % 8 === 0 ? bytes : bytes.slice());
  if (table.batches.length > 1)
    throw new RangeError(`expected one record batch, found ${table.batches.length}`);
  const data = table.batches[0]?.data;
  const columns: Record<string, Data> = {};
  table.schema.fields.forEach(({ name }, i) => {
    const column = data?.children[i];
    if (column) columns[name] = column;
  });
  return { rows: table.numRows, columns };
};

/** Values of a column of Int32 or of its indices, without padding. Throws RangeError on another type. */
export const int32Values = (column: Data | undefined): Int32Array => {
  if (!(column?.values instanceof Int32Array)) throw new RangeError('expected a column of Int32');
  return column.values.subarray(0, column.length);
};

/** Values of a column of Float32, without padding. Throws RangeError on another type. */
export const float32Values = (column: Data | undefined): Float32Array => {
  if (!(column?.values instanceof Float32Array)) throw new RangeError('expected a column of Float32');
  return column.values.subarray(0, column.length);
};

/** Values of a column of Uint8, without padding. Throws RangeError on another type. */
export const uint8Values = (column: Data | undefined): Uint8Array => {
  if (!(column?.values instanceof Uint8Array)) throw new RangeError('expected a column of Uint8');
  return column.values.subarray(0, column.length);
};

/** Offsets and child of a ragged column. Throws RangeError on another type. */
export const listParts = (column: Data | undefined): { offsets: Int32Array; child: Data } => {
  const child = column?.children[0];
  if (!column || !child || !(column.valueOffsets instanceof Int32Array))
    throw new RangeError('expected a column of lists');
  return { offsets: column.valueOffsets.subarray(0, column.length + 1), child };
};

/** Columns of a struct by name. */
export const childrenOf = (column: Data): Record<string, Data> =>
  Object.fromEntries(
    (column.type as Struct).children.flatMap(({ name }, i) => {
      const child = column.children[i];
      return child ? [[name, child]] : [];
    }),
  );

/** Facts as columns; dictionaries are numbered from `firstId`. */
export const demographicColumns = (
  facts: Record<string, Demographic>,
  firstId: number,
): Record<string, Data> =>
  Object.fromEntries(
    Object.entries(facts).map(([name, fact], i) => [
      name,
      fact.kind === 'numeric'
        ? float32Column(fact.values)
        : categoryColumn(fact.levels, fact.values, firstId + i),
    ]),
  );

/** The facts behind columns made by `demographicColumns`. Throws RangeError on other columns. */
export const demographicsOf = (columns: Record<string, Data>): Record<string, Demographic> =>
  Object.fromEntries(
    Object.entries(columns).map(([name, column]) => [
      name,
      column.dictionary
        ? { kind: 'categorical', levels: [...column.dictionary].map(String), values: int32Values(column) }
        : { kind: 'numeric', values: float32Values(column) },
    ]),
  );
