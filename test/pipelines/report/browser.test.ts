import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { reportPage } from '../../../pipelines/report/page.ts';
import { assembleReport } from '../../../pipelines/report/report-data.ts';
import { findBrowser, withPage } from './browser.ts';
import { exampleRun } from './example-run.ts';

const browser = await findBrowser();
// Without a browser ava counts the tests as skipped; in CI on a machine that could have one, they fail.
const mustRun = process.env['CI'] === 'true' && process.platform === 'linux' && process.arch === 'x64';
const inBrowser = typeof browser === 'object' || mustRun ? test.serial : test.serial.skip;

/** The least contrast of any text with what is behind it (WCAG 2), and that text; folds are opened for it. */
const leastContrast = `(() => {
  const folds = [...document.querySelectorAll('details')];
  for (const fold of folds) fold.open = true;
  const context = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
  const known = new Map();
  const rgba = (color) => {
    if (!known.has(color)) {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
      known.set(color, [...context.getImageData(0, 0, 1, 1).data]);
    }
    return known.get(color);
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] > 250) return color;
    }
    return [255, 255, 255, 255];
  };
  let worst = [99, ''];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement: own, textContent } = walker.currentNode;
    if (!textContent.trim() || own.closest('script, style, title, desc, .hidden, #tip, [hidden]')) continue;
    if (!own.checkVisibility()) continue;
    const style = getComputedStyle(own);
    const [a, b] = [rgba(own.closest('svg') ? style.fill : style.color), behind(own)].map(luminance);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, own.className + ' ' + textContent.trim().slice(0, 60)];
  }
  for (const fold of folds) fold.open = false;
  return worst;
})()`;

for (const [width, dark] of [
  [390, false],
  [1280, true],
] as const)
  inBrowser(`the report in Chromium, ${width} pixels wide, ${dark ? 'dark' : 'light'}`, async (t) => {
    if (typeof browser === 'string') return t.fail(browser);
    const folder = await mkdtemp(join(tmpdir(), 'understudy-'));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'report.html');
    await writeFile(file, reportPage(assembleReport(exampleRun(2))));
    await withPage(browser, file, { width, dark }, async ({ evaluate, printedPages, errors, requests }) => {
      t.deepEqual(requests, [`file://${file}`], 'it asks for nothing but itself');
      const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      t.is(await evaluate<number>(overflow), 0, 'nothing sticks out sideways');
      const background = await evaluate<string>('getComputedStyle(document.body).backgroundColor');
      t.is(background, dark ? 'rgb(19, 21, 25)' : 'rgb(246, 246, 243)');

      if (width > 600) {
        const height = await evaluate<number>('document.documentElement.scrollHeight');
        t.true(height <= 20 * 900, `20 screens at most, found ${height} px`);
        const contents = await evaluate<number>(
          `document.querySelector('nav ul').scrollWidth - document.querySelector('nav ul').clientWidth`,
        );
        t.is(contents, 0, 'the contents fit');
      }
      t.is(
        await evaluate<number>(`document.querySelectorAll('details[open]').length`),
        0,
        'folds are closed',
      );
      const stops =
        await evaluate<number>(`[...document.querySelectorAll('a[href], button, input, summary, [tabindex="0"]')]
        .filter((element) => element.checkVisibility({ contentVisibilityAuto: true })).length`);
      t.true(stops < 150, `few stops of the Tab key, found ${stops}`);
      const opened = await evaluate<boolean>(`new Promise((resolve) => {
        const definition = document.querySelector('#definitions dt');
        location.hash = definition.id;
        setTimeout(() => {
          const isShown = definition.getBoundingClientRect().height > 0 && definition.closest('details').open;
          definition.closest('details').open = false;
          resolve(isShown);
        }, 100);
      })`);
      t.true(opened, 'a link into a fold opens it');

      const [ratio, text] = await evaluate<[number, string]>(leastContrast);
      t.true(ratio >= 4.5 && ratio < 22, `contrast ${ratio} of: ${text}`);

      const card = await evaluate<number[]>(`(() => {
        const { bottom } = document.querySelector('.release').getBoundingClientRect();
        const cells = [...document.querySelector('.verdict-card dl').children].map((cell) => cell.getBoundingClientRect());
        return [bottom, new Set(cells.map(({ left }) => Math.round(left))).size];
      })()`);
      t.true((card[0] ?? 901) < 900, 'the sentence is on the first screen');
      t.is(card[1], width < 600 ? 1 : 3, 'families side by side, and below each other on a phone');

      const tip = await evaluate<string>(`(() => {
        const dot = document.querySelector('.log circle');
        const { x, y } = dot.getBoundingClientRect();
        dot.dispatchEvent(new PointerEvent('pointermove', { bubbles: true, clientX: x, clientY: y }));
        return document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent;
      })()`);
      t.regex(tip, /^(dx|px|rx) .*\nreal \d/s, 'a dot has a name');

      const shown = (scale: string) =>
        `document.querySelector('#plot-code-prevalence .${scale}').getBoundingClientRect().height > 0`;
      t.true(await evaluate<boolean>(shown('log')));
      await evaluate(`document.querySelector('#similarity input[value=linear]').click()`);
      t.true(await evaluate<boolean>(`${shown('linear')} && !(${shown('log')})`));

      const seen = (selector: string) =>
        `[...document.querySelectorAll('${selector}')].filter((e) => e.getBoundingClientRect().height > 0).length`;
      t.is(await evaluate<number>(seen('#privacy .log svg.plot')), 3, 'a ROC panel for each generator');
      await evaluate(`document.querySelector('#privacy input[value=linear]').click()`);
      t.is(await evaluate<number>(seen('#privacy .linear svg.plot')), 3);
      t.is(await evaluate<number>(seen('#privacy .log svg.plot')), 0);
      const named = await evaluate<string>(
        `document.querySelector('#plot-code-prevalence .linear circle').dataset.tip`,
      );
      t.regex(named, /^(dx|px|rx) /, 'names are on both scales');

      const boards = await evaluate<
        number[][]
      >(`[...document.querySelectorAll('.board')].filter((table) => table.checkVisibility({ contentVisibilityAuto: true })).map((table) => {
        const [row] = table.tBodies[0].rows;
        const tops = [...row.cells].map((cell) => Math.round(cell.getBoundingClientRect().top));
        const { right } = table.parentNode.getBoundingClientRect();
        const last = row.cells[row.cells.length - 1].getBoundingClientRect().right;
        return [table.parentNode.scrollWidth - table.parentNode.clientWidth, new Set(tops).size, right - last];
      })`);
      t.is(boards.length, 4);
      for (const [hidden, lines, room] of boards) {
        t.is(hidden, 0, 'no table is wider than the page');
        t.true((room ?? -1) >= 0);
        if (width < 600) t.true((lines ?? 0) > 2, 'a card per generator on a phone');
        else t.is(lines, 1, 'a row per generator');
      }

      if (width > 600) {
        const firstPairs = await evaluate<number[]>(`(() => {
          const table = document.querySelector('.leaderboard');
          const button = table.tHead.rows[0].cells[2].querySelector('button');
          button.click();
          button.click();
          return [...table.tBodies[0].rows].map((row) => Number(row.cells[2].dataset.value));
        })()`);
        t.deepEqual(
          firstPairs,
          [...firstPairs].sort((a, b) => a - b),
          'second press sorts upward',
        );
      }

      const copied = await evaluate<string>(`new Promise((resolve) => {
        const button = document.querySelector('button.copy');
        button.click();
        setTimeout(() => resolve(button.textContent), 300);
      })`);
      t.regex(copied, /^Cop|^Could not copy/);
      if (width > 600) {
        const pages = await printedPages();
        t.true(pages > 0 && pages <= 15, `15 printed pages at most, found ${pages}`);
        await evaluate(`document.querySelectorAll('details').forEach((fold) => { fold.open = true; })`);
        t.true((await printedPages()) > pages, 'what is closed is not printed');
      }
      t.deepEqual(errors, []);
    });
  });
