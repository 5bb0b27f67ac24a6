import type uPlot from 'uplot';
import type { HealthSample } from '../../model/health.ts';
import { availability, type Span, spansOf } from '../healthTimeline.ts';
import { bandDrawing, lineDrawing } from './drawings.ts';
import { element } from './element.ts';
import type { PageState, PageTexts, ToPage } from './messages.ts';
import { Plot, type PlotSurroundings } from './plot.ts';
import { moved, type Series, seriesOf, spreadOf, type View, valueAt, within, zoomed } from './series.ts';
import { tableOf } from './table.ts';
import { onThemeChange, type Palette, readPalette } from './theme.ts';
import { type Move, moveOf, Toolbar } from './toolbar.ts';
import { fill, type Units, unitsOf } from './units.ts';

/** How much one press of a key or a button zooms, and by what share of the view it moves. */
const zoomFactor = 0.5;
const step = 0.25;

type Pick = (sample: HealthSample) => number | undefined;

/** A measured line, what its numbers are and how they are written. */
interface Line {
  readonly plot: Plot;
  readonly title: string;
  readonly pick: Pick;
  readonly limit: Pick | undefined;
  readonly write: (value: number) => string;
  series: Series;
}

/** The plots of one instance's history over one time axis, and the same as a table. */
export class HistoryPage {
  readonly root = element('main');
  readonly #save: (state: PageState) => void;
  readonly #plots = element('div');
  readonly #table = element('div', { class: 'scroll', tabindex: '0' });
  readonly #heading = element('h1');
  readonly #now = element('p', { class: 'now' });
  readonly #help: HTMLElement;
  readonly #empty: HTMLElement;
  readonly #toolbar: Toolbar;
  readonly #texts: PageTexts;
  readonly #units: Units;
  readonly #band: Plot;
  readonly #lines: readonly Line[];
  #palette = readPalette();
  #state: PageState;
  #samples: readonly HealthSample[] = [];
  #spans: readonly Span[] = [];
  #all: View = { from: 0, to: 1 };

  /** `state`: what was kept of the same page before it was hidden. */
  constructor(first: ToPage, state: PageState | undefined, save: (state: PageState) => void) {
    const { texts, locale, instanceId } = first;
    this.#texts = texts;
    this.#units = unitsOf(locale, texts);
    this.#state = state?.instanceId === instanceId ? state : { instanceId };
    this.#save = save;
    this.#toolbar = new Toolbar(
      texts,
      move => this.#look(this.#after(move)),
      () => this.#keep({ table: !this.#state.table }),
    );
    this.#help = element('p', { class: 'help' }, texts.help);
    this.#empty = element('p', { class: 'empty' }, texts.noHistory);
    this.#band = this.#makeBand();
    this.#lines = this.#makeLines();
    this.#plots.append(...this.#allPlots().map(({ root }) => root));
    document.documentElement.lang = locale;
    this.root.append(this.#heading, this.#now, this.#toolbar.root, this.#help, this.#empty, this.#plots, this.#table);
    onThemeChange(() => this.#repaint());
    new ResizeObserver(() => this.#resize()).observe(this.root);
    document.addEventListener('keydown', event => this.#pressed(event));
  }

  /** Shows what is known now; the part of the time that the person looks at stays. */
  show({ samples, now, life, texts }: ToPage): void {
    const [first] = samples;
    const to = Date.now();
    const from = first ? Math.min(Date.parse(first.at), to - 1) : to - 1;
    this.#samples = samples;
    this.#all = { from, to };
    this.#spans = spansOf(samples, to, life);
    for (const line of this.#lines) line.series = seriesOf(samples, line.pick, life);
    this.#heading.textContent = texts.title;
    this.#now.textContent = now;
    this.#draw();
    this.#save(this.#state);
  }

  #makeBand(): Plot {
    const { availability: title, nothing, statuses } = this.#texts;
    const drawing = bandDrawing(
      () => this.#spans,
      statuses,
      () => this.#palette,
    );
    return new Plot(title, nothing, drawing, this.#around());
  }

  #makeLines(): Line[] {
    const { nothing, latency, cpu, memory, disk } = this.#texts;
    const { milliseconds, cores, bytes } = this.#units;
    const palette = () => this.#palette;
    const line = (title: string, pick: Pick, write: Line['write'], color: (of: Palette) => string, limit?: Pick) => {
      const drawing = lineDrawing(color, write, palette, { limit: limit !== undefined, bytes: write === bytes });
      const plot = new Plot(title, nothing, drawing, this.#around());
      return { plot, title, pick, limit, write, series: { x: [], y: [] } };
    };
    return [
      line(
        latency,
        sample => sample.latencyMs,
        milliseconds,
        of => of.latency,
      ),
      line(
        cpu,
        sample => sample.cpuCores,
        cores,
        of => of.cpu,
      ),
      line(
        memory,
        sample => sample.memoryBytes,
        bytes,
        of => of.memory,
        sample => sample.memoryLimitBytes,
      ),
      line(
        disk,
        sample => sample.diskUsedBytes,
        bytes,
        of => of.disk,
        sample => sample.diskTotalBytes,
      ),
    ];
  }

  #around(): PlotSurroundings {
    return {
      palette: () => this.#palette,
      units: () => this.#units,
      onSelect: view => this.#look(within(view, this.#all)),
      onReset: () => this.#look(undefined),
      onPoint: (plot, at) => this.#tell(plot, at),
    };
  }

  #allPlots(): Plot[] {
    return [this.#band, ...this.#lines.map(({ plot }) => plot)];
  }

  get #view(): View {
    const { view } = this.#state;
    return (view && within(view, this.#all)) ?? this.#all;
  }

  #draw(): void {
    const { view, table = false } = this.#state;
    const isEmpty = this.#samples.length === 0;
    const { from, to } = this.#view;
    const { moment } = this.#units;
    this.#empty.hidden = !isEmpty;
    this.#help.hidden = isEmpty || table;
    this.#plots.hidden = isEmpty || table;
    this.#table.hidden = isEmpty || !table;
    this.#toolbar.show(fill(this.#texts.range, moment(from), moment(to)), view === undefined, table);
    if (isEmpty) return;
    if (table) this.#drawTable();
    else this.#drawPlots();
  }

  #drawTable(): void {
    const { from, to } = this.#view;
    const isShown = ({ at }: HealthSample) => Date.parse(at) >= from && Date.parse(at) <= to;
    this.#table.replaceChildren(tableOf(this.#samples.filter(isShown), this.#texts, this.#units));
  }

  #drawPlots(): void {
    const view = this.#view;
    this.#band.show(
      [
        [view.from, view.to],
        [null, null],
      ],
      view,
      this.#availability(view),
    );
    for (const line of this.#lines) {
      const { series, plot, title } = line;
      const limits = this.#limitsOf(line);
      const data = [series.x, series.y, ...(limits ? [limits] : [])] as unknown as uPlot.AlignedData;
      const spread = this.#spread(line);
      plot.show(data, view, spread && `${title}: ${spread}`);
    }
    for (const plot of this.#allPlots()) this.#tell(plot, undefined);
  }

  #limitsOf({ series, limit }: Line): (number | null)[] | undefined {
    if (!limit) return undefined;
    const limits = seriesOf(this.#samples, limit, Number.POSITIVE_INFINITY);
    return series.x.map(at => valueAt(limits, at) ?? null);
  }

  /** What stands beside a plot's heading: the value at the pointer, else how it was on the whole. */
  #tell(plot: Plot, at: number | undefined): void {
    const line = this.#lines.find(one => one.plot === plot);
    if (at === undefined) plot.tell((line ? this.#spread(line) : this.#availability(this.#view)) ?? '');
    else plot.tell(line ? this.#valueText(line, at) : this.#statusText(at));
  }

  #statusText(at: number): string {
    const span = this.#spans.find(({ from, to }) => from <= at && at < to);
    return [...(span ? [this.#texts.statuses[span.status]] : []), this.#units.moment(at)].join(' · ');
  }

  #valueText({ series, limit, write }: Line, at: number): string {
    const value = valueAt(series, at);
    if (value === undefined) return '–';
    const most = limit && valueAt(seriesOf(this.#samples, limit, Number.POSITIVE_INFINITY), at);
    return most === undefined ? write(value) : fill(this.#texts.ofLimit, write(value), write(most));
  }

  #availability({ from, to }: View): string | undefined {
    const inside = this.#spans
      .map(span => ({ ...span, from: Math.max(from, span.from), to: Math.min(to, span.to) }))
      .filter(span => span.from < span.to);
    const share = availability(inside);
    return share === undefined ? this.#texts.nothing : fill(this.#texts.available, this.#units.percent(share));
  }

  #spread({ series, write }: Line): string | undefined {
    const spread = spreadOf(series, this.#view);
    if (!spread) return undefined;
    const [low, high, last] = [spread.low, spread.high, spread.last].map(write) as [string, string, string];
    return low === high ? last : fill(this.#texts.spread, low, high, last);
  }

  /** The part of the time to look at after a move; undefined for all of it. */
  #after(move: Move): View | undefined {
    switch (move) {
      case 'zoomIn':
        return zoomed(this.#view, zoomFactor, this.#all);
      case 'zoomOut':
        return zoomed(this.#view, 1 / zoomFactor, this.#all);
      case 'earlier':
        return moved(this.#view, -step, this.#all);
      case 'later':
        return moved(this.#view, step, this.#all);
      case 'showAll':
        return undefined;
    }
  }

  #look(view: View | undefined): void {
    const { view: _view, ...rest } = this.#state;
    this.#state = view ? { ...rest, view } : rest;
    this.#keep({});
  }

  #keep(change: Partial<PageState>): void {
    this.#state = { ...this.#state, ...change };
    this.#save(this.#state);
    this.#draw();
  }

  #pressed(event: KeyboardEvent): void {
    const move = moveOf(event);
    const scrolls = this.#state.table && event.key.startsWith('Arrow');
    if (move === undefined || scrolls) return;
    event.preventDefault();
    this.#look(this.#after(move));
  }

  #resize(): void {
    const width = Math.floor(this.root.clientWidth);
    if (width > 0) for (const plot of this.#allPlots()) plot.resize(width);
  }

  #repaint(): void {
    this.#palette = readPalette();
    for (const plot of this.#allPlots()) plot.repaint();
  }
}
