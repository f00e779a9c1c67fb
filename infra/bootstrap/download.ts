import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { megabytes, type Say } from './report.ts';

const ANSWER_MS = 15_000;
const SILENCE_MS = 60_000;

/** An address without the credentials it may carry: fit to be printed. */
export const printable = (address: string): string => {
  const url = new URL(address);
  url.username = '';
  url.password = '';
  return url.href;
};

/** GET with credentials in the address turned into a header, and an error with the server's answer. */
export const request = async (
  address: string,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> => {
  const { username, password } = new URL(address);
  const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  const secret: Record<string, string> = username
    ? { authorization: `Basic ${basic.toString('base64')}` }
    : {};
  const patience = new AbortController();
  const timer = setTimeout(
    () => patience.abort(new Error(`no answer within ${ANSWER_MS / 1000} s`)),
    ANSWER_MS,
  );
  try {
    const signals = signal ? [patience.signal, signal] : [patience.signal];
    const response = await fetch(printable(address), {
      headers: { ...secret, ...headers },
      signal: AbortSignal.any(signals),
    });
    if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`.trim());
    return response;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
    const text = error instanceof Error ? error.message : String(error);
    throw new Error(`${printable(address)}: ${text}${cause}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
};

/** Streams a file to disk and checks its SHA-256; on any mismatch nothing stays at `path` and it throws. */
export const download = async (
  address: string,
  path: string,
  sha256: string,
  options: { say?: Say; signal?: AbortSignal } = {},
): Promise<void> => {
  const response = await request(address, {}, options.signal);
  const size = Number(response.headers.get('content-length') ?? 0);
  if (size) options.say?.(`  ${megabytes(size)} from ${new URL(address).host}`);
  const hash = createHash('sha256');
  const silence = new AbortController();
  const stop = () => silence.abort(new Error(`${printable(address)}: silent for ${SILENCE_MS / 1000} s`));
  let timer = setTimeout(stop, SILENCE_MS);
  const digest = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      clearTimeout(timer);
      timer = setTimeout(stop, SILENCE_MS);
      hash.update(chunk);
      next(null, chunk);
    },
  });
  try {
    if (!response.body) throw new Error(`${printable(address)}: empty answer`);
    await pipeline(Readable.fromWeb(response.body), digest, createWriteStream(path), {
      signal: AbortSignal.any([silence.signal, ...(options.signal ? [options.signal] : [])]),
    });
    const found = hash.digest('hex');
    if (found !== sha256)
      throw new Error(`${printable(address)}: expected SHA-256 ${sha256}, got ${found}; nothing was kept`);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    clearTimeout(timer);
  }
};
