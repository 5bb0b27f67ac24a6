import type uPlot from 'uplot';
import type { HealthStatus } from '../../model/health.ts';
import type { Span } from '../healthTimeline.ts';
import type { PlotDrawing } from './plot.ts';
import type { Palette } from './theme.ts';

/** The lanes of the band, from the lowest: height says what colour says. */
const lanes: readonly HealthStatus[] = ['unhealthy', 'unknown', 'recovering', 'degraded', 'healthy'];

/** Narrower than this a short trouble could not be seen, in pixels. */
const narrowest = 3;

/** The status over time as a coloured band, in a lane of its own for each status. */
export function bandDrawing(
  spans: () => readonly Span[],
  texts: Readonly<Record<HealthStatus, string>>,
  palette: () => Palette,
): PlotDrawing {
  return {
    height: 140,
    series: [{ show: false }],
    y: { splits: () => lanes.map((_, lane) => lane + 0.5), values: () => lanes.map(status => texts[status]), space: 1 },
    range: () => [0, lanes.length],
    draw: plot => drawBand(plot, spans(), palette()),
  };
}

function drawBand(plot: uPlot, spans: readonly Span[], palette: Palette): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { status, from, to } of spans) {
    const lane = lanes.indexOf(status);
    const left = plot.valToPos(from, 'x', true);
    const top = plot.valToPos(lane + 0.85, 'y', true);
    const width = Math.max(narrowest * devicePixelRatio, plot.valToPos(to, 'x', true) - left);
    const height = plot.valToPos(lane + 0.15, 'y', true) - top;
    ctx.fillStyle = palette.statuses[status];
    ctx.strokeStyle = palette.outline;
    ctx.fillRect(left, top, width, height);
    ctx.strokeRect(left, top, width, height);
  }
  ctx.restore();
}

/** Steps that are round numbers of bytes. */
const byteSteps = Array.from({ length: 50 }, (_, power) => 2 ** power);

/** One measured line, over a limit where there is one. */
export function lineDrawing(
  color: (palette: Palette) => string,
  write: (value: number) => string,
  palette: () => Palette,
  { limit = false, bytes = false } = {},
): PlotDrawing {
  const line: uPlot.Series = {
    stroke: () => color(palette()),
    width: 2,
    points: { size: 5, fill: () => color(palette()) },
  };
  const dashed: uPlot.Series = { stroke: () => palette().limit, width: 1.5, dash: [6, 4], points: { show: false } };
  return {
    height: 150,
    series: limit ? [line, dashed] : [line],
    y: {
      values: (_plot: uPlot, splits: number[]) => splits.map(write),
      space: 32,
      ...(bytes && { incrs: byteSteps }),
    },
    range: (_low, high) => [0, high === null || high <= 0 ? 1 : high * 1.15],
  };
}
