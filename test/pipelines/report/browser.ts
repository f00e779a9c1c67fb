import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, constants, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { readEnvironment } from '../../../infra/env.ts';

const program = promisify(execFile);
const brotli = promisify(brotliDecompress);

/** A Chromium on this machine, with what its process needs in its environment. */
export interface Browser {
  path: string;
  env?: Record<string, string>;
}

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

const installedBrowser = async (): Promise<Browser | undefined> => {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter))
    for (const name of names) {
      const path = join(folder, name);
      const there = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (there) return { path };
    }
  return undefined;
};

/** An npm package that has a headless Chromium for Linux on x64 in it, with its libraries and fonts. */
const packaged = {
  name: '@sparticuz/chromium',
  version: '153.0.0',
  sha512: 'jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA==',
};

const unpack = async (bin: string, archive: string, to: string): Promise<void> => {
  await mkdir(to, { recursive: true });
  const tar = join(to, 'archive.tar');
  await writeFile(tar, await brotli(await readFile(join(bin, archive))));
  await program('tar', ['-xf', tar, '-C', to]);
  await rm(tar);
};

/** Fetches the package through npm, once per machine. Throws where npm or the package cannot be had. */
const fetchedBrowser = async (): Promise<Browser> => {
  const { cache } = readEnvironment();
  const folder = join(cache, `chromium-${packaged.version}`);
  const browser = {
    path: join(folder, 'chromium'),
    env: { LD_LIBRARY_PATH: join(folder, 'libraries', 'lib'), FONTCONFIG_PATH: folder },
  };
  const there = await access(browser.path, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (there) return browser;
  await mkdir(cache, { recursive: true });
  const draft = await mkdtemp(join(cache, 'chromium-'));
  try {
    const asked = `${packaged.name}@${packaged.version}`;
    const { stdout } = await program('npm', ['pack', '--json', asked, '--pack-destination', draft]);
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    const found = createHash('sha512')
      .update(await readFile(join(draft, filename)))
      .digest('base64');
    if (found !== packaged.sha512)
      throw new Error(`${asked}: expected sha512 ${packaged.sha512}, found ${found}`);
    await program('tar', ['-xzf', join(draft, filename), '-C', draft]);
    const bin = join(draft, 'package', 'bin');
    await unpack(bin, 'al2023.tar.br', join(draft, 'libraries'));
    await unpack(bin, 'fonts.tar.br', draft);
    const dirs = `<dir>${join(folder, 'fonts')}</dir><cachedir>${join(folder, 'font-cache')}</cachedir>`;
    await writeFile(join(draft, 'fonts.conf'), `<?xml version="1.0"?>\n<fontconfig>${dirs}</fontconfig>\n`);
    await writeFile(join(draft, 'chromium'), await brotli(await readFile(join(bin, 'chromium.br'))));
    await chmod(join(draft, 'chromium'), 0o755);
    await rm(join(draft, 'package'), { recursive: true });
    await rm(join(draft, filename));
    // Another process may have been first; its copy is as good.
    await rename(draft, folder).catch((error: unknown) =>
      access(browser.path).catch(() => Promise.reject(error)),
    );
    return browser;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
};

/** The Chromium on PATH, else one from npm; or, in words, why this machine has none. */
export const findBrowser = async (): Promise<Browser | string> => {
  const installed = await installedBrowser();
  if (installed) return installed;
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `no Chromium on PATH, and ${packaged.name} has none for ${process.platform} on ${process.arch}`;
  return fetchedBrowser().catch((error: unknown) => `no Chromium on PATH, and none from npm: ${error}`);
};

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--remote-debugging-pipe',
];

interface Message {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

/** A page opened in a browser of its own, driven over the browser's debugging pipe. */
export interface Page {
  /** Value of an expression in the page; a promise is awaited. */
  evaluate<T>(expression: string): Promise<T>;
  /** How many sheets of paper it prints on. */
  printedPages(): Promise<number>;
  /** Console errors, uncaught exceptions, refusals of the content policy. */
  errors: string[];
  /** Every address the page asked for. */
  requests: string[];
}

/** Opens a file, hands over the page, and closes the browser whatever happens. */
export const withPage = async (
  browser: Browser,
  file: string,
  { width, dark }: { width: number; dark: boolean },
  use: (page: Page) => Promise<void>,
): Promise<void> => {
  const profile = await mkdtemp(join(tmpdir(), 'understudy-browser-'));
  const child = spawn(browser.path, [...flags, `--user-data-dir=${profile}`], {
    env: { ...process.env, ...browser.env },
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const [, , , toBrowser, fromBrowser] = child.stdio as unknown as [null, null, null, Writable, Readable];
  const errors: string[] = [];
  const requests: string[] = [];
  const waiting = new Map<number, (message: Message) => void>();
  let loaded = () => {};
  const loading = new Promise<void>((resolve) => {
    loaded = resolve;
  });
  const heard: Record<string, (params: Record<string, unknown>) => void> = {
    'Page.loadEventFired': () => loaded(),
    'Runtime.exceptionThrown': (params) => errors.push(JSON.stringify(params)),
    'Runtime.consoleAPICalled': (params) => params['type'] === 'error' && errors.push(JSON.stringify(params)),
    'Log.entryAdded': (params) => errors.push(JSON.stringify(params)),
    'Network.requestWillBeSent': ({ request }) => requests.push((request as { url: string }).url),
  };
  let rest = '';
  fromBrowser.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\0');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const message = JSON.parse(part) as Message;
      if (message.id !== undefined) waiting.get(message.id)?.(message);
      else heard[message.method ?? '']?.(message.params ?? {});
    }
  });
  let last = 0;
  let sessionId: unknown;
  const send = async (method: string, params: object = {}): Promise<Record<string, unknown>> => {
    const id = ++last;
    const answer = new Promise<Message>((resolve) => waiting.set(id, resolve));
    toBrowser.write(`${JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) })}\0`);
    const { result, error } = await answer;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  };
  try {
    const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
    sessionId = (await send('Target.attachToTarget', { targetId, flatten: true }))['sessionId'];
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await send(`${domain}.enable`);
    const metrics = { width, height: 900, deviceScaleFactor: 1, mobile: false };
    await send('Emulation.setDeviceMetricsOverride', metrics);
    const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }];
    await send('Emulation.setEmulatedMedia', { features });
    await send('Page.navigate', { url: `file://${file}` });
    await loading;
    const evaluate = async <T>(expression: string): Promise<T> => {
      const options = { expression, returnByValue: true, awaitPromise: true };
      const { result, exceptionDetails } = await send('Runtime.evaluate', options);
      if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
      return (result as { value: T }).value;
    };
    const printedPages = async () => {
      await send('Emulation.clearDeviceMetricsOverride');
      const { data } = await send('Page.printToPDF', { preferCSSPageSize: true });
      const pdf = Buffer.from(String(data), 'base64').toString('latin1');
      return pdf.match(/\/Type\s*\/Page\b/g)?.length ?? 0;
    };
    await use({ evaluate, printedPages, errors, requests });
  } finally {
    child.kill('SIGKILL');
    await exited;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
};
