import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Environment } from '../env.ts';
import { request } from './download.ts';

/** A file that a package index offers. `sha256` is missing where the index does not have it. */
export interface IndexedFile {
  file: string;
  url: string;
  sha256: string | undefined;
}

const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';

const answer = z.object({
  files: z.array(
    z.object({ filename: z.string(), url: z.string(), hashes: z.object({ sha256: z.string().optional() }) }),
  ),
});

/** The `index-url` of a pip configuration file's [global] section. */
export const indexUrlIn = (text: string): string | undefined => {
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    section = /^\s*\[(.+)\]\s*$/.exec(line)?.[1] ?? section;
    const url = section === 'global' && /^\s*index[-_]url\s*[=:]\s*(\S+)/.exec(line)?.[1];
    if (url) return url.replace(/\/+$/, '');
  }
  return undefined;
};

/**
 * The package index that is configured: PIP_INDEX_URL, else pip's configuration files. Throws when there is none:
 * only pip itself has a default, and a closed network wants none guessed.
 */
export const packageIndex = async (
  { pipIndexUrl }: Pick<Environment, 'pipIndexUrl'>,
  files = [
    join(homedir(), '.config', 'pip', 'pip.conf'),
    join(homedir(), '.pip', 'pip.conf'),
    '/etc/pip.conf',
  ],
): Promise<string> => {
  if (pipIndexUrl) return pipIndexUrl;
  for (const file of files) {
    const found = existsSync(file) ? indexUrlIn(await readFile(file, 'utf8')) : undefined;
    if (found) return found;
  }
  throw new Error(
    'no package index is configured: set PIP_INDEX_URL to the address of its simple API, or install Python 3 with pip',
  );
};

const plainText = (text: string) => text.replaceAll('&amp;', '&');

/** The links of a simple-API page (PEP 503), whose fragment is the hash. */
const linksIn = (html: string, base: string): IndexedFile[] =>
  [...html.matchAll(/<a\s[^>]*href\s*=\s*["']([^"']+)["']/gi)].map(([, href = '']) => {
    const url = new URL(plainText(href), base);
    const sha256 = /sha256=([0-9a-f]{64})/.exec(url.hash)?.[1];
    url.hash = '';
    return { file: decodeURIComponent(url.pathname.split('/').at(-1) ?? ''), url: url.href, sha256 };
  });

/** What the index offers of a project, in JSON (PEP 691) where it speaks that, else HTML. */
export const filesOf = async (
  project: string,
  index: string,
  signal?: AbortSignal,
): Promise<IndexedFile[]> => {
  const page = `${index}/${project}/`;
  const response = await request(page, { accept: `${JSON_TYPE}, text/html;q=0.5` }, signal);
  // Credentials of the index serve its files too when they are on the same host.
  const base = new URL(response.url || page);
  const login = new URL(page);
  if (base.host === login.host) [base.username, base.password] = [login.username, login.password];
  if (!response.headers.get('content-type')?.includes('json'))
    return linksIn(await response.text(), base.href);
  return answer.parse(await response.json()).files.map(({ filename, url, hashes }) => ({
    file: filename,
    url: new URL(url, base).href,
    sha256: hashes.sha256,
  }));
};
