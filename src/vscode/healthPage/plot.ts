import uPlot from 'uplot';
import { element } from './element.ts';
import type { View } from './series.ts';
import type { Palette } from './theme.ts';
import type { Units } from './units.ts';

/** Pixels kept for the labels of the y axis: the same for all, so that times stand under each other. */
const labelWidth = 90;

/** What all plots of a page have in common. */
export interface PlotSurroundings {
  palette(): Palette;
  units(): Units;
  /** The person has chosen a part of the time with the pointer. */
  onSelect(view: View): void;
  /** … wants all of it again. */
  onReset(): void;
  /** The pointer is at a time, or nowhere. */
  onPoint(plot: Plot, at: number | undefined): void;
}

/** What one plot shows beyond its time axis. */
export interface PlotDrawing {
  readonly height: number;
  readonly series: readonly uPlot.Series[];
  readonly y: Pick<uPlot.Axis, 'values' | 'incrs' | 'splits' | 'space'>;
  /** The scale's ends, from those of the data; both null without data. */
  range(low: number | null, high: number | null): [number, number];
  draw?(plot: uPlot): void;
}

/** One plot with a heading that tells the value at the pointer. */
export class Plot {
  readonly root: HTMLElement;
  readonly #chart: uPlot;
  readonly #canvas: HTMLElement;
  readonly #nothing: HTMLElement;
  readonly #value: HTMLElement;

  constructor(title: string, nothing: string, drawing: PlotDrawing, around: PlotSurroundings) {
    this.#value = element('output');
    this.#canvas = element('div', { class: 'plot', role: 'img' });
    this.#nothing = element('p', { class: 'nothing' }, nothing);
    this.root = element('section', {}, element('h2', {}, title, this.#value), this.#canvas, this.#nothing);
    const axis = (): Pick<uPlot.Axis, 'stroke' | 'grid' | 'ticks' | 'font'> => ({
      stroke: () => around.palette().text,
      grid: { stroke: () => around.palette().grid, width: 1 },
      ticks: { stroke: () => around.palette().grid, width: 1, size: 5 },
      font: `12px ${getComputedStyle(document.body).fontFamily}`,
    });
    this.#chart = new uPlot(
      {
        ms: 1,
        width: 300,
        height: drawing.height,
        padding: [8, 36, 0, 0],
        legend: { show: false },
        cursor: {
          sync: { key: 'health', scales: ['x', null], filters: { pub: type => /^mouse(move|leave)$/.test(type) } },
          drag: { x: true, y: false, setScale: false, dist: 5 },
          y: false,
          bind: {
            dblclick: () => () => {
              around.onReset();
              return null;
            },
          },
        },
        scales: { x: { time: true }, y: { range: (_plot, low, high) => drawing.range(low, high) } },
        axes: [
          {
            ...axis(),
            size: 28,
            space: 90,
            values: (_plot, at, _axis, _space, step) => at.map(x => around.units().tick(x, step)),
          },
          { ...axis(), size: labelWidth, ...drawing.y },
        ],
        series: [{}, ...drawing.series],
        hooks: {
          draw: drawing.draw ? [plot => drawing.draw?.(plot)] : [],
          setSelect: [plot => this.#selected(plot, around)],
          setCursor: [({ cursor: { left = -1 } }) => around.onPoint(this, left < 0 ? undefined : this.#timeAt(left))],
        },
      },
      [[], ...drawing.series.map(() => [])] as uPlot.AlignedData,
      this.#canvas,
    );
  }

  /** `summary` says in words what the picture shows; undefined when there is nothing to show. */
  show(data: uPlot.AlignedData, view: View, summary: string | undefined): void {
    this.#canvas.hidden = summary === undefined;
    this.#nothing.hidden = summary !== undefined;
    this.#canvas.setAttribute('aria-label', summary ?? '');
    this.#chart.batch(() => {
      this.#chart.setData(data, false);
      this.#chart.setScale('x', { min: view.from, max: view.to });
    });
  }

  /** What is beside the heading. */
  tell(value: string): void {
    this.#value.textContent = value;
  }

  resize(width: number): void {
    this.#chart.setSize({ width, height: this.#chart.height });
  }

  /** Draws with the colours of now. */
  repaint(): void {
    this.#chart.redraw(true, true);
  }

  #timeAt(left: number): number {
    return this.#chart.posToVal(left, 'x');
  }

  #selected(plot: uPlot, { onSelect }: PlotSurroundings): void {
    const { left, width } = plot.select;
    if (width <= 0) return;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    onSelect({ from: this.#timeAt(left), to: this.#timeAt(left + width) });
  }
}
