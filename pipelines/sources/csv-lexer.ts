import { isUtf8 } from 'node:buffer';
import type { RejectReason } from './reasons.ts';

const tab = 0x09;
const newline = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const quote = 0x22;
const comma = 0x2c;

// Between the fields of the output; cannot occur in them.
const unitSeparator = 0x1f;
const separatorText = String.fromCharCode(unitSeparator);

// The state of the lexer. In the first two, ordinary bytes need no further look.
const unquoted = 0;
const quoted = 1;
const fieldStart = 2;
const afterQuote = 3;
const broken = 4;
const afterCarriageReturn = 5;

const recordLimit = 1 << 20;
const drainAt = 3 << 20;
const rejectsDrainAt = 1 << 20;

/** Ends the reading of a file; the message goes after the file's name. */
export class CsvFault extends Error {}

/**
 * Reads CSV (RFC 4180; LF or CRLF) byte by byte and writes one plain line per record: physical line number,
 * then the wanted fields, each after a unit separator, without quotes. DuckDB's own reader gives no line
 * numbers, guesses dialects, and cannot report where a quote is wrong. Records with a wrong number of fields
 * or a broken quote become lines of `rejects`; faults after which nothing can be trusted throw CsvFault. Line
 * breaks and control characters inside fields become blanks; blanks around fields go.
 */
export class CsvLexer {
  readonly #out = Buffer.allocUnsafe(drainAt + 2 * recordLimit);
  readonly #onHeader: (cells: string[]) => boolean[];
  #rejects = '';
  #end = 0;
  #recordAt = 0;
  #fieldAt = 0;
  #recordLine = 1;
  #line = 1;
  #quoteLine = 0;
  #field = 0;
  #blank = true;
  #state = fieldStart;
  #wanted: boolean[] | undefined;
  #keeping = true;
  /** Records after the header so far, rejected ones among them. */
  records = 0;

  /** `onHeader` decides which columns are wanted. */
  constructor(onHeader: (cells: string[]) => boolean[]) {
    this.#onHeader = onHeader;
  }

  get sawHeader(): boolean {
    return this.#wanted !== undefined;
  }

  /** Reads from `from` on and returns where it stopped: `chunk.length`, or before, when `drain` is due. */
  consume(chunk: Uint8Array, from: number): number {
    const out = this.#out;
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (byte > comma && this.#state <= quoted) {
        if (this.#keeping) out[this.#end++] = byte;
      } else {
        this.#special(byte);
        if (this.#blank && (this.#end > drainAt || this.#rejects.length > rejectsDrainAt)) return at + 1;
      }
    }
    return chunk.length;
  }

  /** To be called at the end of the file: the last line may lack its line break. */
  finish(): void {
    if (this.#state === quoted)
      throw new CsvFault(`a quote opened on line ${this.#quoteLine} is never closed. Close or double it`);
    if (!this.#blank) this.#endRecord();
  }

  /** Hands over what is finished since the last call. Throws CsvFault where it is not UTF-8. */
  async drain(write: (rows: Uint8Array, rejects: string) => Promise<void>): Promise<void> {
    const rows = this.#out.subarray(0, this.#recordAt);
    if (!isUtf8(rows))
      throw new CsvFault(`line ${firstNotUtf8(rows)} is not UTF-8. Convert it (from Latin-1?)`);
    await write(rows, this.#rejects);
    this.#rejects = '';
    this.#out.copyWithin(0, this.#recordAt, this.#end);
    this.#end -= this.#recordAt;
    this.#fieldAt -= this.#recordAt;
    this.#recordAt = 0;
  }

  #special(byte: number): void {
    if (this.#end - this.#recordAt > recordLimit)
      throw new CsvFault(
        `the record that starts on line ${this.#recordLine} has more than 1 MiB: is a quote left open?`,
      );
    if (byte === 0) throw new CsvFault(`line ${this.#line} holds a NUL byte: the file is damaged or binary`);
    if (this.#state === quoted) this.#insideQuotes(byte);
    else if (byte === newline) {
      if (!this.#blank) this.#endRecord();
      this.#state = fieldStart;
      this.#line++;
    } else if (this.#state === afterCarriageReturn)
      throw new CsvFault(`line ${this.#line} holds a carriage return alone: lines should end in LF or CR LF`);
    else if (byte === carriageReturn) this.#state = afterCarriageReturn;
    else this.#outsideQuotes(byte);
  }

  #insideQuotes(byte: number): void {
    if (byte === quote) this.#state = afterQuote;
    else {
      if (byte === newline) this.#line++;
      this.#put(Math.max(byte, space));
    }
  }

  #outsideQuotes(byte: number): void {
    if (this.#state === broken) return;
    // Tabs of the header stay, so that a file separated by tabs can be recognized.
    const isBlank = byte <= space && (byte !== tab || this.sawHeader);
    if (isBlank && this.#state !== unquoted) return;
    if (this.#blank) this.#beginRecord();
    if (byte === comma) this.#endField();
    else if (byte === quote && this.#state === fieldStart) {
      this.#state = quoted;
      this.#quoteLine = this.#line;
    } else if (this.#state === afterQuote && byte === quote) {
      this.#state = quoted;
      this.#put(quote);
    } else if (this.#state === afterQuote && this.#wanted) {
      if (this.#quoteLine !== this.#line)
        throw new CsvFault(
          `a quote opened on line ${this.#quoteLine} runs to line ${this.#line}, where text follows it. Close or double it`,
        );
      this.#state = broken;
    } else {
      this.#state = unquoted;
      this.#put(isBlank ? space : byte);
    }
  }

  #put(byte: number): void {
    if (this.#keeping && (byte !== space || this.#end > this.#fieldAt)) this.#out[this.#end++] = byte;
  }

  #beginRecord(): void {
    this.#blank = false;
    this.#recordLine = this.#line;
    this.#field = 0;
    this.#keeping = this.#wanted?.[0] ?? true;
    if (this.#wanted) this.#end += this.#out.write(`${this.#line}${separatorText}`, this.#end, 'latin1');
    this.#fieldAt = this.#end;
  }

  #endField(): void {
    if (this.#keeping) {
      while (this.#end > this.#fieldAt && this.#out[this.#end - 1] === space) this.#end--;
      this.#out[this.#end++] = unitSeparator;
    }
    this.#fieldAt = this.#end;
    this.#field++;
    this.#keeping = this.#wanted === undefined || this.#wanted[this.#field] === true;
    this.#state = fieldStart;
  }

  #endRecord(): void {
    const wasBroken = this.#state === broken;
    this.#endField();
    this.#blank = true;
    if (!this.#wanted) {
      const cells = this.#out.toString('utf8', 0, this.#end - 1).split(separatorText);
      this.#wanted = this.#onHeader(cells);
      this.#end = 0;
      return;
    }
    this.records++;
    if (wasBroken) this.#reject('broken-quote', `field ${this.#field} of ${this.#wanted.length}`);
    else if (this.#field !== this.#wanted.length)
      this.#reject(
        this.#field < this.#wanted.length ? 'too-few-fields' : 'too-many-fields',
        `${this.#field} fields where the header has ${this.#wanted.length}`,
      );
    else {
      this.#out[this.#end - 1] = newline;
      this.#recordAt = this.#end;
    }
  }

  #reject(reason: RejectReason, detail: string): void {
    this.#rejects += `${[this.#recordLine, reason, detail].join(separatorText)}\n`;
    this.#end = this.#recordAt;
  }
}

const firstNotUtf8 = (rows: Uint8Array): string => {
  for (let from = 0; ; ) {
    const to = rows.indexOf(newline, from) + 1;
    const record = rows.subarray(from, to || rows.length);
    if (!isUtf8(record) || to === 0)
      return Buffer.from(record).toString('latin1').split(separatorText)[0] ?? '?';
    from = to;
  }
};
