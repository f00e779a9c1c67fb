import {
  estimateText,
  headline,
  hintFor,
  nodeText,
  type RunSnapshot,
  runLines,
  stateText,
} from './run-view.ts';

/** Where a run is drawn while it goes on. */
export interface Screen {
  show(snapshot: RunSnapshot): void;
  /** The last picture stays; nothing is drawn after it. */
  close(): void;
}

/** A terminal as far as drawing goes; `process.stdout` is one. */
export interface Canvas {
  write(text: string): unknown;
  columns?: number;
  rows?: number;
}

/** Draws over its last picture: bars and time left of every node and of the run. */
export class LiveScreen implements Screen {
  readonly #canvas: Canvas;
  #drawn = 0;

  constructor(canvas: Canvas) {
    this.#canvas = canvas;
  }

  show(snapshot: RunSnapshot): void {
    // A pseudo-terminal may report zero rows and columns: then the size is unknown.
    const all = runLines(snapshot, this.#canvas.columns || 100);
    // A picture taller than the terminal cannot be drawn over; the last one need not be.
    const most = Math.max(2, (this.#canvas.rows || 40) - 1);
    const lines = snapshot.state === 'running' ? all.slice(0, most) : all;
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : '';
    this.#canvas.write(`${up}${lines.map((line) => `\x1b[2K${line}\n`).join('')}\x1b[J`);
    this.#drawn = lines.length;
  }

  close(): void {
    this.#drawn = 0;
  }
}

const everyMs = 10_000;
/** The estimate of the run is a line of its own. */
const estimateEveryMs = 30_000;

/** Adds a line when a node changes, and every ten seconds one for each that goes on: for logs and CI. */
export class PlainScreen implements Screen {
  readonly #write: (line: string) => void;
  readonly #now: () => number;
  readonly #printed = new Map<string, { state: string; at: number; step: number }>();
  #state = '';
  #note = '';
  #estimatedAt = Number.NEGATIVE_INFINITY;

  constructor(write: (line: string) => void, now: () => number = Date.now) {
    // A log is read later: each line begins with the time of day, UTC.
    this.#write = (line) => write(`${new Date(this.#now()).toISOString().slice(11, 19)}  ${line}`);
    this.#now = now;
  }

  show(snapshot: RunSnapshot): void {
    const now = this.#now();
    const begins = this.#state === '' && snapshot.state === 'running';
    if (begins) this.#write(headline(snapshot));
    if (snapshot.note && snapshot.note !== this.#note) this.#write(snapshot.note);
    this.#note = snapshot.note ?? '';
    for (const node of snapshot.nodes) {
      const step = node.beat?.progress.step ?? -1;
      const printed = this.#printed.get(node.id);
      const moved = node.state === 'running' && printed && step > printed.step && now - printed.at >= everyMs;
      const state = stateText(node);
      if (state === (printed?.state ?? 'waiting') && !moved) continue;
      const text = nodeText(node).split('\n')[0];
      const starts = state === 'running' && step < 0;
      this.#write(`${state.padEnd(7)}  ${node.id}${text && !starts ? `  ${text}` : ''}`);
      const hint = node.state === 'failed' ? hintFor(node.failure?.code) : undefined;
      if (hint) this.#write(`         → ${hint}`);
      this.#printed.set(node.id, { state, at: now, step });
    }
    const estimate = estimateText(snapshot);
    if (estimate && now - this.#estimatedAt >= estimateEveryMs) {
      this.#write(estimate);
      this.#estimatedAt = now;
    }
    if (!begins && snapshot.state !== this.#state) this.#write(headline(snapshot));
    this.#state = snapshot.state;
  }

  close(): void {
    this.#printed.clear();
  }
}
