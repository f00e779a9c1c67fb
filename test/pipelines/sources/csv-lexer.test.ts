import test from 'ava';
import { CsvLexer } from '../../../pipelines/sources/csv-lexer.ts';

const separator = '\x1f';

/** All the lexer gives for `bytes` when they arrive in pieces of `piece`. */
const lex = async (bytes: Buffer, piece: number, wanted: (names: string[]) => boolean[]) => {
  const lexer = new CsvLexer(wanted);
  let rows = '';
  let rejects = '';
  const drain = () =>
    lexer.drain((finished, rejected) => {
      rows += Buffer.from(finished).toString();
      rejects += rejected;
      return Promise.resolve();
    });
  for (let from = 0; from < bytes.length; from += piece) {
    const chunk = bytes.subarray(from, from + piece);
    for (let at = lexer.consume(chunk, 0); at < chunk.length; at = lexer.consume(chunk, at)) await drain();
    await drain();
  }
  lexer.finish();
  await drain();
  return { rows, rejects, records: lexer.records };
};

const alphabet = ['a', 'Z', '0', ' ', ',', '"', '""', '\n', '\r\n', ';', "'", 'é', '漢', '\\', '-', '😀'];

test('what is written as CSV is read as it was, wherever the pieces end', async (t) => {
  let state = 7;
  const pick = (limit: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const cell = () => Array.from({ length: pick(6) }, () => alphabet[pick(alphabet.length)]).join('');
  const quote = (text: string) =>
    /[",\n]/.test(text) || pick(3) === 0 ? `"${text.replaceAll('"', '""')}"` : text;
  const plain = (text: string) => text.replaceAll(/[\r\n]/g, ' ').replaceAll(/^ +| +$/g, '');
  for (let round = 0; round < 300; round++) {
    const width = 2 + pick(4);
    const wanted = Array.from({ length: width }, () => pick(2) === 0);
    const end = pick(2) ? '\n' : '\r\n';
    let text = `${Array.from({ length: width }, (_, i) => `c${i}`).join(',')}${end}`;
    let line = 2;
    let expected = '';
    for (let row = 0; row < pick(8); row++) {
      const cells = Array.from({ length: width }, cell);
      expected += `${[line, ...cells.filter((_, i) => wanted[i]).map(plain)].join(separator)}\n`;
      const record = `${cells.map(quote).join(',')}${end}`;
      text += record;
      line += record.split('\n').length - 1;
    }
    const { rows, rejects } = await lex(Buffer.from(text), 1 + pick(9), () => wanted);
    t.is(rows, expected, JSON.stringify(text));
    t.is(rejects, '');
  }
});

test('a record longer than a piece, a drain in the middle of a record, and many records', async (t) => {
  const long = 'x'.repeat(900_000);
  const text = `a,b\n${`${long},1\n`.repeat(12)}short\n`;
  const { rows, rejects, records } = await lex(Buffer.from(text), 1 << 20, () => [true, true]);
  t.is(rows, Array.from({ length: 12 }, (_, i) => `${i + 2}${separator}${long}${separator}1\n`).join(''));
  t.is(rejects, `14${separator}too-few-fields${separator}1 fields where the header has 2\n`);
  t.is(records, 13);
});

test('a separator of ours inside a field does not become a field', async (t) => {
  const { rows } = await lex(Buffer.from('a,b\nx\x1fy,"x\x1fy"\n'), 3, () => [true, true]);
  t.is(rows, `2${separator}x y${separator}x y\n`);
});
